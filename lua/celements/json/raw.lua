--- The one private instance of lua-cjson, as the C core has it: for celements.json, and for where
-- every call passes.  Its refusals are texts; celements.json makes errors of them.

local core = require "celements.core"

--- decode(text, strict) -> value | nil, why, offset
--- encode(value) -> text, ordinary | nil, why: ordinary is a text without "<", "*", curly quotes
--- and control characters, where nothing has to be looked at before it is sent.
--- array(table) -> the table, marked; null.
---@type {decode: (fun(text: string, strict?: boolean): any, string?, integer?), encode: (fun(value: any): string?, boolean|string), array: (fun(list: table): table), null: any}
return core.json.new()
