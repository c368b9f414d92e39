--- Three hundred random steps in the life of instances, against the sandbox and a small
-- model of it here; after each step both are compared.

local celements = require "celements"
local connected = require "spec.support.connected"
local once = require "celements.once"

local STEPS = 300
local KEY = "event.notification.enabled"
local TAGS = { "red", "green", "blue", "it's", "a b&c=d", "ü%20" }

describe("300 random steps in the life of instances", function()
  local sandbox, client, model, seed

  setup(function()
    sandbox, client = connected.start()
  end)

  teardown(function()
    sandbox.stop()
  end)

  local function pick(list)
    return list[math.random(#list)]
  end

  local function some_tags()
    local tags = {}
    for _, tag in ipairs(TAGS) do
      if math.random() < 0.4 then
        tags[#tags + 1] = tag
      end
    end
    return celements.array(tags)
  end

  local function find(id)
    for i, known in ipairs(model) do
      if known.id == id then
        return i
      end
    end
  end

  -- The model's row for what the platform says of a new instance.
  local function learn(instance, tags)
    model[#model + 1] = {
      id = instance.id, token = instance.token, name = instance.name, tags = tags, disabled = false, enabled = "false",
      hub = client:instance(instance),
    }
  end

  local function shown(name, tags, disabled)
    return ("%s [%s] %s"):format(name, table.concat(tags, ", "), disabled and "off" or "on")
  end

  local function row_of(known)
    return ("%d %s %s"):format(known.id, known.token, shown(known.name, known.tags, known.disabled))
  end

  local function compare(options, fits)
    local expected, found = {}, {}
    for _, known in ipairs(model) do
      if not fits or fits(known) then
        expected[#expected + 1] = row_of(known)
      end
    end
    for instance in client:instances(options) do
      found[#found + 1] = ("%d %s %s"):format(instance.id, instance.token,
        shown(instance.name, instance.tags, instance.disabled))
    end
    assert.equal(table.concat(expected, "\n"), table.concat(found, "\n"))
  end

  local function has(known, wanted)
    for _, tag in ipairs(known.tags) do
      if tag == wanted then
        return true
      end
    end
    return known.name == wanted
  end

  -- By id or by token, as chance will have it.
  local function either(known, by_id, by_token, ...)
    if math.random() < 0.5 then
      return client[by_id](client, known.id, ...)
    end
    return known.hub[by_token or by_id](known.hub, ...)
  end

  local steps = {
    create = function(n)
      local tags = some_tags()
      learn(assert(client:create_instance(connected.typeform { name = "N" .. n, tags = tags })), tags)
    end,
    create_many = function(n)
      local list = {}
      for i = 1, math.random(5) do
        list[i] = connected.typeform { name = ("M%d-%d"):format(n, i), tags = some_tags() }
      end
      local outcomes = client:create_instances(list)
      table.sort(outcomes, function(a, b) return a.result.id < b.result.id end)
      local tags_of = {}
      for _, params in ipairs(list) do
        tags_of[params.name] = params.tags
      end
      for _, outcome in ipairs(outcomes) do
        learn(outcome.result, tags_of[outcome.result.name])
      end
    end,
    create_once = function(n)
      local name = "name-" .. math.random(5)
      local tag = assert(once.tag(name))
      local instance, info = client:create_instance(connected.typeform { name = "O" .. n, once = name })
      assert(instance, info)
      for _, known in ipairs(model) do
        if has(known, tag) then
          assert(info.found and instance.id == known.id and instance.token == known.token)
          return
        end
      end
      assert.is_nil(info.found)
      learn(instance, { tag })
    end,
    patch = function(n, known)
      local patch = {}
      if math.random() < 0.6 then
        known.name = "P" .. n
        patch.name = known.name
      end
      if math.random() < 0.6 or not patch.name then
        known.tags = some_tags()
        patch.tags = known.tags
      end
      local instance = assert(either(known, "update_instance", nil, patch))
      assert.equal(shown(known.name, known.tags, known.disabled), shown(instance.name, instance.tags, instance.disabled))
    end,
    replace = function(n, known)
      known.name, known.tags = "R" .. n, some_tags()
      local instance = assert(either(known, "replace_instance", nil, { name = known.name, tags = known.tags }))
      assert.equal(known.id, instance.id)
    end,
    enable = function(_, known)
      assert.is_true(either(known, "enable_instance"))
      known.disabled = false
    end,
    disable = function(_, known)
      assert.is_true(either(known, "disable_instance"))
      known.disabled = true
    end,
    configure = function(_, known)
      known.enabled = pick { "true", "false" }
      assert.equal(known.enabled, assert(either(known, "set_instance_configuration", nil, KEY, known.enabled)).propertyValue)
    end,
    reauthenticate = function(_, known)
      local instance = assert(client:reauthenticate(known.id, nil, celements.sandbox.credentials "typeform"))
      assert.equal(known.token, instance.token)
    end,
    delete = function(_, known)
      assert.is_true(either(known, "delete_instance"))
      table.remove(model, (find(known.id)))
      assert.equal("not_found", select(2, client:get_instance(known.id)).kind)
      assert.equal("auth", select(2, known.hub:get("/contacts", { pageSize = 1 })).kind)
    end,
    call = function(_, known)
      local contacts, err = known.hub:get("/contacts", { pageSize = 1 })
      if known.disabled then
        assert.equal("forbidden", err.kind)
      else
        assert.equal(1, #contacts)
      end
      assert.truthy((known.hub:objects()))
    end,
    inspect = function(_, known)
      local instance = assert(client:get_instance(known.id))
      assert.equal(shown(known.name, known.tags, known.disabled), shown(instance.name, instance.tags, instance.disabled))
      for _, item in ipairs(assert(either(known, "instance_configuration"))) do
        if item.key == KEY then
          assert.equal(known.enabled, item.propertyValue)
        end
      end
    end,
    list = function()
      local tag = pick(TAGS)
      compare({ tags = tag, page_size = math.random(4) }, function(known) return has(known, tag) end)
    end,
    find_none = function()
      local gone = pick { 1, "99999999" }
      for _, name in ipairs { "get_instance", "enable_instance", "delete_instance", "instance_configuration" } do
        local result, err = client[name](client, gone)
        assert.is_nil(result)
        assert.equal("not_found", err.kind)
      end
    end,
  }
  local names, often = {}, { create = 3, patch = 2, delete = 3, call = 2 }
  for name in pairs(steps) do
    for _ = 1, often[name] or 1 do
      names[#names + 1] = name
    end
  end
  table.sort(names)

  local ALONE = { create = true, create_many = true, create_once = true, list = true, find_none = true }

  it("leave the platform as the model has it, after each", function()
    seed = os.time()
    math.randomseed(seed)
    model = {}
    local done = {}
    for n = 1, STEPS do
      local name = pick(names)
      local known = #model > 0 and pick(model) or nil
      if not known and not ALONE[name] then
        name = "create"
      end
      local fine, problem = pcall(function()
        steps[name](n, known)
        compare { page_size = math.random(3, 50) }
      end)
      if not fine then
        local text = type(problem) == "table" and problem.message or problem
        error(("step %d (%s), seed %d: %s"):format(n, name, seed, tostring(text)), 0)
      end
      done[name] = (done[name] or 0) + 1
    end
    for name in pairs(steps) do
      assert.truthy(done[name], name .. " was never done")
    end
  end)
end)
