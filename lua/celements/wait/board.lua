--- Who waits for which transfer.
-- A waiter puts a transfer here with the basket that its end belongs in; whoever turns the
-- engine collects, for all.  What is in flight is held here, so that a request goes on to
-- its end when the code that sent it is gone (pitfall 44).  Knows nothing of event loops.

local M = {}

-- By engine: the entries by the id of their transfer, and how many there are.
local boards = setmetatable({}, { __mode = "k" })

local function board_of(engine)
  local board = boards[engine]
  if not board then
    board = { entries = {}, count = 0 }
    boards[engine] = board
  end
  return board
end

--- A place where transfers end up that are done.
---@param signal? fun(basket: table)  called when something has been put in
---@return table basket  ready: list of transfers; problem: why none of them can end
function M.basket(signal)
  return { ready = {}, signal = signal }
end

--- When this transfer is done, put it into that basket.
---@param engine celements.Engine
---@param transfer celements.Transfer
---@param basket table
function M.watch(engine, transfer, basket)
  local board = board_of(engine)
  board.entries[transfer:id()] = { transfer = transfer, basket = basket }
  board.count = board.count + 1
end

-- Something for a basket, once.
local function put(board, id, entry, problem)
  board.entries[id], board.count = nil, board.count - 1
  local basket = entry.basket
  basket.ready[#basket.ready + 1] = entry.transfer
  basket.problem = basket.problem or problem
  if basket.signal then
    basket:signal()
  end
end

--- Hand out what has finished.
---@param engine celements.Engine
---@return integer count  how many found their basket
function M.collect(engine)
  local board = board_of(engine)
  local count = 0
  local id = engine:finished()
  while id do
    local entry = board.entries[id]
    if entry then
      put(board, id, entry)
      count = count + 1
    end
    id = engine:finished()
  end
  return count
end

--- The engine cannot go on: tell everybody.
---@param engine celements.Engine
---@param problem string
function M.fail(engine, problem)
  local board = board_of(engine)
  local entries = {}
  for id, entry in pairs(board.entries) do
    entries[id] = entry
  end
  for id, entry in pairs(entries) do
    put(board, id, entry, problem)
  end
end

--- How many transfers are waited for.
---@param engine celements.Engine
---@return integer
function M.count(engine)
  return board_of(engine).count
end

--- Some basket that waits for a transfer, if any does.
---@param engine celements.Engine
---@return table? basket
function M.any(engine)
  local _, entry = next(board_of(engine).entries)
  return entry and entry.basket
end

return M
