--- A CA of our own and server certificates, made by the openssl command when a test
-- needs them.  Good for a day, for names of this machine only.

local M = {}

local EXTENSIONS = [[
[req]
distinguished_name = name
prompt = no
[name]
CN = %s
[ca]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[server]
basicConstraints = CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = %s
]]

local function run(command)
  local pipe = assert(io.popen("env -u LD_PRELOAD " .. command .. " 2>&1; echo \"status $?\""))
  local output = pipe:read("*a")
  pipe:close()
  if not output:find("status 0\n$") then
    error("certificates: " .. command .. "\n" .. output)
  end
end

-- dir/name.key and dir/name.pem.  Without a signer the certificate signs itself.
local function make(dir, name, common_name, alternative_names, section, signer)
  local path = dir .. "/" .. name
  local config = assert(io.open(path .. ".cnf", "w"))
  config:write(EXTENSIONS:format(common_name, alternative_names))
  config:close()
  local new = ("openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -config %s.cnf -keyout %s.key")
    :format(path, path)
  if not signer then
    run(("%s -x509 -days 1 -extensions %s -out %s.pem"):format(new, section, path))
    return
  end
  run(("%s -out %s.csr"):format(new, path))
  local sign = "openssl x509 -req -in %s.csr -CA %s/%s.pem -CAkey %s/%s.key -CAcreateserial -days 1"
  run((sign .. " -extfile %s.cnf -extensions %s -out %s.pem")
    :format(path, dir, signer, dir, signer, path, section, path))
end

--- Make them: ca.pem, and key and certificate of good, elsewhere (another host's name)
-- and selfsigned.
---@param dir string  an empty directory
function M.make(dir)
  local here = "DNS:localhost, IP:127.0.0.1"
  make(dir, "ca", "celements test CA", here, "ca")
  make(dir, "good", "localhost", here, "server", "ca")
  make(dir, "elsewhere", "elsewhere.example", "DNS:elsewhere.example", "server", "ca")
  make(dir, "selfsigned", "localhost", here, "server")
end

return M
