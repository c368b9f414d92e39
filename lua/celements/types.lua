---@meta celements.core
--- What an editor should know: the tables that go in and come out, and the C modules.
--- Nothing requires this file; where the code and this file disagree, the code is right.

-- luacheck: ignore 212 241 242

-- What a program gives ------------------------------------------------------------

--- The options of a client; a name that is not here raises.
---@class celements.Options
---@field base_url? string  where the platform is, as a host or a URL; default https://api.cloud-elements.com/elements/api-v2
---@field user_secret? string  default: CELEMENTS_USER_SECRET
---@field org_secret? string  default: CELEMENTS_ORG_SECRET
---@field timeout? number  seconds for a whole call, retries included; default 60, and 120 for creating an instance
---@field connect_timeout? number  seconds for each connection; default 10
---@field retries? integer  how often a call is tried again at most; default 2
---@field ca_file? string  a PEM file with the authorities to trust, in place of the system's
---@field proxy? string  a proxy's URL, "" for none; default: what https_proxy and its like say
---@field user_agent? string
---@field max_body? integer  bytes of an answer after decompression; default 16 MiB
---@field http_version? "1.1"|"2"  default "1.1"
---@field waiter? "block"|"nginx"|"cqueues"|"luv"  who waits; default: nginx and a cqueues controller are found by themselves, else it blocks
---@field on_response? fun(event: celements.Event)  called once for each attempt
---@field allow_http? boolean  allow plain http to other machines; default false
---@field headers? table<string, string>  sent with every call

--- The options of one call.
---@class celements.CallOptions
---@field timeout? number  seconds for the whole call
---@field retries? integer  how often it is tried again at most
---@field headers? table<string, string>  they win over the client's

--- The options of client:request().
---@class celements.RequestOptions: celements.CallOptions
---@field query? table  by name (sent in the order of the alphabet, a list repeats the name), or a list of {name, value} pairs
---@field json? any  the body, as a Lua value
---@field element_token? string  an instance's token, for a call to its resources

--- What oauth_url and oauth_token take; any other name is sent as it is written.
---@class celements.OauthParams
---@field element string|integer|{key?: string, id?: integer}  "hubspot"
---@field api_key? string  the application's client id
---@field api_secret? string  the application's client secret
---@field callback_url? string
---@field scope? string|string[]  a list is sent item by item; in a string + and %20 stand for the space
---@field state? string  comes back in the callback
---@field site_address? string
---@field request_token? string  of oauth_token, for OAuth 1.0
---@field callback_proxy? boolean  the proxy has no keys: they come along, and callback_url is the proxy's
---@field is_oauth_proxy? boolean  the platform has the application's keys, under oauth_proxy_name; state is your own callback
---@field oauth_proxy_name? string
---@field post? boolean  send a body by POST, so that the secret is in no URL; for oauth_url only
---@field [string] any

--- What create_instance takes; a decoded instance.json will do, and any other name is
--- sent as it is written.
---@class celements.InstanceParams
---@field element string|integer|{key?: string, id?: integer}
---@field name? string
---@field provider_data? table<string, any>  what the callback brought
---@field configuration? table<string, any>  by the element's own names
---@field tags? string|string[]
---@field external_authentication? string  "initial": configuration holds the user's tokens, and there is no provider_data
---@field oauth_proxy? {isOauthProxy: boolean, oauthProxyName: string}  in place of the application's keys in configuration
---@field retrieve_objects? boolean  the answer lists the objects that the provider has
---@field once? string  a name of the program's own, 1 to 100 of A-Z a-z 0-9 . _ : / @ + -: an instance made under it is found, not made again
---@field check? boolean  ask the catalogue first whether required configuration is missing
---@field [string] any

--- What celements.openresty.new() takes; a name that is not here raises.  Where a function
--- is told the context, that is a table with user_id, return_to and element.
---@class celements.OpenrestyOptions
---@field client celements.Client  with both secrets
---@field element string|integer|{key?: string, id?: integer}  "hubspot"
---@field api_key string  the application's client id at the provider
---@field api_secret string  and its client secret
---@field callback_url string  the whole URL of the location with flow:callback(), as browsers and the provider know it; https, but for this machine
---@field key string|string[]  32 bytes or more that seal the state; of a list the first seals and all open
---@field user_id fun(): string|number|false|nil  who is signed in; nil or false: nobody
---@field scope? string|string[]
---@field on_connected? fun(instance: celements.Instance, context: table)  called in a timer, after the instance was stored; again for the same instance when a host died or the function raised
---@field on_error? fun(err: celements.Error, context: table)  called in a timer; context has stage and reason as well; default: a line in the error log
---@field store? table  of celements.store; default: ngx.shared.celements if it is declared, else the worker's memory
---@field success_path? string  where the user goes when the request named no page of this site; default "/"
---@field failure_path? string  where the user goes when it did not work out, with reason=WORD; default, and where trying the same callback again goes on: a page of our own
---@field connect_path? string  the location with flow:connect(), for "start again" where that is not known
---@field title? string  what users call it, "HubSpot"; default: the element's key
---@field name? string|fun(context: table): string  of the instance; default: title
---@field tags? string|string[]|fun(context: table): string|string[]
---@field configuration? table|fun(context: table): table  further configuration of the instance
---@field provider_data? table|fun(context: table): table  further provider data
---@field oauth_params? table|fun(context: table): table  further parameters for the URL, such as siteAddress
---@field oauth1? boolean  the element speaks OAuth 1.0; default false
---@field post? boolean  ask for the URL by POST, so that the secret is in no URL; default true
---@field state_ttl? number  seconds that the user has; default 600
---@field lease? number  seconds after which another host takes over from one that died; default 30
---@field allow_http? boolean  allow a callback_url of plain http to other machines; default false

-- What a program gets -------------------------------------------------------------

--- The answer of oauth_url.
---@class celements.OauthUrl
---@field oauthUrl string  where to send the user
---@field element string  the element's key

--- The answer of oauth_token.
---@class celements.OauthToken
---@field token string  goes into oauth_url as request_token
---@field secret string  goes into provider_data, with what the callback brought

--- An instance, as the platform gives it.
---@class celements.Instance
---@field id integer
---@field name string
---@field token string  a secret: what calls to the connected account need
---@field element celements.Element
---@field tags? string[]
---@field configuration? table<string, any>
---@field valid? boolean
---@field disabled? boolean
---@field [string] any

--- An element of the catalogue, as an instance shows it.
---@class celements.Element
---@field id integer
---@field key string  "hubspot"
---@field name string
---@field hub? string  "crm"
---@field [string] any

--- What stands beside a result.
---@class celements.Info
---@field status integer  the HTTP status
---@field request_id? string  the platform's Elements-Request-Id, for support
---@field headers table<string, string>  by lower-case name; made of `head` when it is first read, so that pairs(info) does not show it
---@field head string  the header lines as they came
---@field attempts integer  how many requests were made
---@field seconds number  for the whole call
---@field reused boolean  it went over a connection that was open already
---@field warning? string  the Elements-Error header: a success with a reservation
---@field hook_error? string  what on_response raised
---@field found? boolean  with `once`: the instance was there already

--- One thing that a user has to be asked before an instance can be created.
---@class celements.Requirement
---@field key string  its name in `configuration`
---@field name string  what people call it
---@field secret boolean
---@field type? string  "PASSWORD", "BOOLEAN", ...
---@field default? any
---@field description? string
---@field options? table[]  what can be chosen from
---@field order? number

--- One attempt, as on_response sees it.
---@class celements.Event
---@field method string
---@field path string  without query, redacted
---@field attempt integer  1 for the first
---@field status? integer
---@field request_id? string
---@field seconds? number
---@field reused? boolean
---@field kind? string  of the error, if it failed

--- What came of one of many calls.
---@class celements.Outcome
---@field result? any
---@field info? celements.Info
---@field err? any  a celements.Error, or what was raised

--- What a client has done so far.
---@class celements.Stats
---@field calls integer
---@field attempts integer
---@field failed integer
---@field reused integer
---@field opened integer  connections
---@field failures table<string, integer>  by kind of error

--- What this installation is made of; tostring() of it is readable.
---@class celements.Diagnostics
---@field celements string  the version
---@field lua string
---@field libcurl celements.core.Library
---@field cjson {version: string, path?: string}
---@field trust celements.core.Trust
---@field base_url string
---@field user_secret "set"|"not set"  in the environment
---@field org_secret "set"|"not set"
---@field proxy? string  of the environment, without its password

-- The C core ----------------------------------------------------------------------
-- Private: programs require "celements".

--- Where the certificate authorities lie that are trusted.
---@class celements.core.Trust
---@field kind "directory"|"file"|"libcurl"
---@field path? string
---@field why string  a sentence

--- libcurl as it runs.
---@class celements.core.Library
---@field version string
---@field tls string
---@field http2 boolean
---@field async_dns boolean  names are looked up without holding everybody up
---@field quick_exit boolean  a slow name server does not hold a call past its deadline

--- What the calls of a client have in common, for core.engine.settings().
---@class celements.core.SettingsFields
---@field id number  differs from that of all other settings of this Lua state
---@field base_url string
---@field user? celements.Secret
---@field organization? celements.Secret
---@field user_agent? string
---@field ca_file? string
---@field proxy? string
---@field http2? boolean
---@field allow_http? boolean
---@field connect_timeout number  seconds
---@field max_body number  bytes

--- Why an attempt brought no whole answer.
---@class celements.core.Failure
---@field kind string  as in celements.Error
---@field message string
---@field phase string
---@field sent boolean  false: certainly no byte of the request left
---@field code integer  libcurl's
---@field status? integer

---@class celements.core
local core = {}

---@class celements.core.url
core.url = {}

--- Percent-encode a text; a space becomes %20.
---@param text string
---@return string
function core.url.escape(text) end

--- A path out of segments, each percent-encoded: "/instances/12345".
---@param ... string|integer
---@return string
function core.url.path(...) end

--- A query out of names and values.
---@param pairs string[]  name, value, name, value, ...
---@param n integer  how many of them
---@return string?
---@return string? why  it is too long for a URL
function core.url.query(pairs, n) end

--- May this stand behind a base URL as it is?
---@param text string
---@return boolean
function core.url.path_ok(text) end

--- The place of the first control character.
---@param text string
---@return integer? position
function core.url.control(text) end

---@class celements.core.params
core.params = {}

--- A copy of a parameter table with the wire's names, if nothing about it is odd.
---@param params any
---@param renames table<string, string>  our name -> the wire's
---@param types? table<string, string>  the wire's name -> "string or table"
---@param forms? table<string, string|false>  the wire's name -> NAME: an object with a text under that name, which a text alone is made to be; "": a list of texts; false: one to look at
---@return table? copy  nil: Lua has to look at it
---@return boolean usual  all names are in types, all values of their forms
function core.params.wire(params, renames, types, forms) end

--- How many items a list has.
---@param value any
---@param texts? boolean  they have to be strings
---@return integer? count  nil: it is no list from 1 on without a hole
function core.params.list(value, texts) end

--- The query of a usual parameter table, encoded.
---@param params any
---@param renames table<string, string>
---@param places table<string, integer|false>  where a wire's name stands: from 1 on; false: in the path; 0: not usual
---@return string? text  nil: Lua has to look at it
---@return string? word  what belongs in the path, where it is given: letters, digits and underlines
function core.params.query(params, renames, places) end

---@class celements.core.secret
core.secret = {}

--- A secret that cannot be read, printed or counted, and is wiped when it goes.
---@class celements.Secret

---@param text string
---@return celements.Secret
function core.secret.new(text) end

--- In a time that depends on the lengths alone.
---@param a string
---@param b string
---@return boolean
function core.secret.equal(a, b) end

--- Bytes that nobody can guess.
---@param n integer  at most 256
---@return string
function core.secret.random(n) end

--- The text of a secret, for the one caller that a user asked to show it.
---@param secret celements.Secret
---@return string
function core.secret.reveal(secret) end

--- Has a value under this name to be hidden?
---@param name string
---@return boolean
function core.secret.is_name(name) end

--- A text without the values, in any encoding, and without what stands behind secret names.
---@param text string
---@param values (celements.Secret|string)[]
---@return string
function core.secret.redact(text, values) end

---@class celements.core.json
core.json = {}

--- An instance of lua-cjson of our own, made exact.
---@class celements.core.Json
---@field null any
---@field array fun(list: table): table
---@field encode fun(value: any): text: string?, problem: string?
---@field decode fun(text: string, strict?: boolean): value: any, problem: string?, offset: integer?

---@param cjson? table  the module, or a stand-in for it; default: require "cjson"
---@return celements.core.Json
function core.json.new(cjson) end

---@class celements.core.engine
core.engine = {}

---@return celements.Engine? engine
---@return string? problem
function core.engine.open() end

--- The engine of this Lua state and this process, made at the first call.
---@return celements.Engine?
---@return string? problem
function core.engine.current() end

---@param fields celements.core.SettingsFields  checked by the caller
---@return celements.Settings
function core.engine.settings(fields) end

--- Seconds of a clock that only goes forward.
---@return number
function core.engine.clock() end

--- At most that long: a signal ends it.
---@param seconds number
function core.engine.sleep(seconds) end

---@return celements.core.Library
function core.engine.library() end

--- Opaque: what core.engine.settings() made.
---@class celements.Settings

--- Many transfers, one descriptor to watch.  Belongs to the process that opened it.
---@class celements.Engine
local Engine = {}

--- Start a call.  Without `ms` nothing is sent before the next step.
---@param settings celements.Settings
---@param method string
---@param path string  encoded
---@param query string?  encoded
---@param body string?
---@param secrets string  which to send: "u", "o" and "e" as letters
---@param lines string[]?  header lines
---@param timeout_ms number
---@param element? celements.Secret  the token for "e"
---@param compressed? boolean  is a compressed answer asked for?  nil: by a GET
---@param ms? number  work on all that is in flight for so long, or until this call is over
---@return celements.Transfer? transfer  nil: the call is over
---@return celements.Info? answer  nil: it failed, or is in flight
---@return string|celements.core.Failure|nil rest  the answer's body, or what failed
function Engine:start(settings, method, path, query, body, secrets, lines, timeout_ms, element, compressed, ms) end

--- Work on all that is in flight until this transfer is done, the time is up or a signal came.
---@param transfer celements.Transfer
---@param ms number
---@return boolean? done
---@return string? problem
function Engine:drive(transfer, ms) end

--- One round, for event loops.
---@param ms number
---@return true?
---@return string? problem
function Engine:step(ms) end

--- Sends what was started, and looks for nothing that came.
function Engine:flush() end

--- A transfer that is done and was not named yet.
---@return integer? id
function Engine:finished() end

--- The descriptor to watch, where the system has one for a set.
---@return integer?
function Engine:pollfd() end

---@return "r"
function Engine:events() end

--- Seconds until step() has to be called.
---@return number?
function Engine:timeout() end

--- How many transfers are in flight.
---@return integer
function Engine:running() end

---@return celements.core.Trust
function Engine:trust() end

--- Open, and opened by this process?
---@return boolean
function Engine:alive() end

--- What is in flight ends; a second close does nothing.
function Engine:close() end

--- One request and its answer.
---@class celements.Transfer
local Transfer = {}

---@return boolean
function Transfer:done() end

--- The number that Engine:finished() names: from 1 on, and nobody else's until this
--- transfer is let go of.
---@return integer
function Transfer:id() end

--- The answer, or nil and why there is none; lets go of the transfer.
---@return celements.Info? answer
---@return string|celements.core.Failure body  as it came, or the failure
function Transfer:take() end

--- Lets go of it; one in flight is cut off.
function Transfer:close() end

-- The second C module, for the sandbox, its server and the stores --------------------

--- A second process for a plain script: celements.process.
---@class celements.process
local process = {}

---@return integer? pid  0 in the child
---@return string? problem
function process.fork() end

---@param pid integer
---@param signal string|integer  "TERM"
---@return true?
---@return string? problem
function process.kill(pid, signal) end

---@param pid integer
---@param seconds number
---@return boolean? ended  false: not within that time
---@return integer|string|nil status  the exit code, or 128 and the signal's number
function process.wait(pid, seconds) end

--- End this process at once; no buffer is flushed and no finalizer runs.
---@param code integer
function process.exit(code) end

---@return integer? read_end
---@return integer|string write_end  or the problem
function process.pipe() end

---@param fd integer
---@return true?
---@return string? problem
function process.close(fd) end

---@param fd integer
---@return true?
---@return string? problem
function process.close_on_exec(fd) end

--- Point every other descriptor at /dev/null.
---@param ... integer
---@return true?
---@return string? problem
function process.keep_only(...) end

---@param signal string|integer
---@return true?
---@return string? problem
function process.ignore(signal) end

--- Make a file that only its owner can read or write, if there is none.
---@param path string
---@return boolean? private  false: there is one that others can read or write
---@return integer|string permissions  or the problem
function process.private_file(path) end

---@param seconds number  a signal ends it early
function process.sleep(seconds) end

---@return integer
function process.getpid() end

---@return integer
function process.getppid() end

-- The third, which stores and the flow in nginx use, and which needs libsodium --------

--- Texts that only the holder of a key can read or make: celements.seal.
---@class celements.seal
local seal = {}

--- Keys that cannot be read or printed, and are wiped when they go.
---@class celements.Seal
local Seal = {}

--- Make keys out of secrets of at least 32 random bytes each, text or binary.  The first
--- one seals and all of them open, so a new key is put in front of the old one.  Raises
--- for anything else, without quoting it.
---@param keys string|string[]
---@return celements.Seal
function seal.new(keys) end

--- Random bytes as text of A-Z a-z 0-9 - and _.
---@param n integer  bytes, 1 to 256
---@return string
function seal.token(n) end

--- The hash of a text, 43 characters of the same kind: for comparing without keeping.
---@param text string
---@return string
function seal.hash(text) end

--- Seal a text for a context, which has to be the same when it is opened.
---@param plaintext string  at most 1 MiB
---@param context string  at most 64 KiB
---@return string text  A-Z a-z 0-9 - and _ only
function Seal:seal(plaintext, context) end

---@param text string  anything; what cannot be opened does not raise
---@param context string
---@return string? plaintext
---@return string? reason  "malformed", "unknown key" or "forged", or "out of memory"
function Seal:open(text, context) end

--- The keys are wiped; a second close does nothing.
function Seal:close() end

return core
