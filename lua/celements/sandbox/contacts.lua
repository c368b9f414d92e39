--- The contacts of an instance: made up, but always the same ones, and kept when changed.

local json = require "celements.json"

local COUNT = 450

local FIRST_NAMES = { "Ada", "Björn", "Chloé", "Dmitri", "Esra", "Fatima", "Grace", "Haruki", "Ines", "João" }
local LAST_NAMES = { "Lovelace", "O'Brien", "Nuñez", "van der Berg", "Yılmaz", "Kowalski", "Hopper" }
local CITIES = { "London", "Århus", "Lyon" }

local FIELDS = {
  id = true, firstName = true, lastName = true, email = true, phone = true, score = true, address = true,
  ["address.city"] = true, createdDate = true, lastModifiedDate = true,
}

local M = {}

--- Is this a field of contacts?
---@param name string
---@return boolean
function M.has_field(name)
  return FIELDS[name] or false
end

--- The fields of contacts, for metadata.
---@return {path: string, type: string}[]
function M.fields()
  local fields = json.array{}
  for name in pairs(FIELDS) do
    fields[#fields + 1] = { path = name, type = name == "score" and "number" or name == "address" and "object"
      or name:find("Date$") and "date" or "string" }
  end
  table.sort(fields, function(a, b) return a.path < b.path end)
  return fields
end

local function made_up(instance, n)
  local first, last = FIRST_NAMES[n % #FIRST_NAMES + 1], LAST_NAMES[n % #LAST_NAMES + 1]
  local created = ("2016-%02d-%02dT08:00:00Z"):format(n % 12 + 1, n % 28 + 1)
  return {
    id = ("%d"):format(n), firstName = first, lastName = last,
    email = ("contact%d@instance%d.example.com"):format(n, instance.id),
    phone = n % 5 == 0 and json.null or ("+44 20 7946 %04d"):format(n), score = n % 100,
    address = { city = CITIES[n % #CITIES + 1] },
    createdDate = created, lastModifiedDate = created,
  }
end

--- All contacts of an instance, oldest first.
---@param instance table
---@return table[] contacts  its own list
function M.of(instance)
  if not instance.contacts then
    instance.contacts, instance.next_contact = {}, COUNT + 1
    for n = 1, COUNT do
      instance.contacts[n] = made_up(instance, n)
    end
  end
  return instance.contacts
end

---@param instance table
---@param id string
---@return table? contact
---@return integer? place
function M.find(instance, id)
  for place, contact in ipairs(M.of(instance)) do
    if contact.id == id then
      return contact, place
    end
  end
end

local function laid_over(below, given)
  local contact = {}
  for name, value in pairs(below) do
    contact[name] = value
  end
  for name, value in pairs(given) do
    contact[name] = value
  end
  return contact
end

--- Keep a new contact.
---@param instance table
---@param given table
---@param date string
---@return table contact
function M.add(instance, given, date)
  local contacts = M.of(instance)
  local contact = laid_over(given, {
    id = ("%d"):format(instance.next_contact), createdDate = date, lastModifiedDate = date,
  })
  instance.next_contact = instance.next_contact + 1
  contacts[#contacts + 1] = contact
  return contact
end

--- Put what is given over a contact, or in its place.
---@param instance table
---@param place integer
---@param given table
---@param date string
---@param wholly boolean  what is not given is gone
---@return table contact
function M.change(instance, place, given, date, wholly)
  local contacts = M.of(instance)
  local old = contacts[place]
  contacts[place] = laid_over(laid_over(wholly and {} or old, given), {
    id = old.id, createdDate = old.createdDate, lastModifiedDate = date,
  })
  return contacts[place]
end

--- Null and absent are one to the platform: without nulls, unless it is told to show them.
---@param contact table
---@return table
function M.without_nulls(contact)
  local shown = {}
  for name, value in pairs(contact) do
    if value ~= json.null then
      shown[name] = value
    end
  end
  return shown
end

return M
