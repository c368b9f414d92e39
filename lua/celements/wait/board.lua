--- Who waits for which transfer.
-- A waiter puts a transfer here with the basket that its end belongs in; whoever turns the
-- engine collects, for all.  What is in flight is held here, so that a request goes on to
-- its end when the code that sent it is gone (pitfall 44).  Knows nothing of event loops.

local M = {}

-- By engine: holders and baskets by the id of the transfer, and how many there are.
-- Two tables that stay, instead of a small one for each call; arrays, since ids are small
-- and come again.
local boards = setmetatable({}, { __mode = "k" })

local function board_of(engine)
  local board = boards[engine]
  if not board then
    board = { holders = {}, baskets = {}, count = 0 }
    boards[engine] = board
  end
  return board
end

--- A place where transfers end up that are done.
---@param signal? fun(basket: table)  called when something has been put in
---@return table basket  ready: list of transfers, or of their holders; problem: why none of them can end
function M.basket(signal)
  return { ready = {}, signal = signal }
end

--- When this transfer is done, put it into that basket.
---@param basket table
---@param engine celements.Engine
---@param transfer celements.Transfer
---@param holder? table  put in instead, and has to hold the transfer
function M.watch(basket, engine, transfer, holder)
  local board, id = boards[engine] or board_of(engine), transfer:id()
  board.holders[id], board.baskets[id] = holder or transfer, basket
  board.count = board.count + 1
end

-- Something for a basket, once.
local function put(board, id, basket)
  local ready = basket.ready
  ready[#ready + 1] = board.holders[id]
  board.holders[id], board.baskets[id], board.count = nil, nil, board.count - 1
  if basket.signal then
    basket:signal()
  end
end

--- Hand out what has finished.
---@param engine celements.Engine
---@return integer count  how many found their basket
function M.collect(engine)
  local board = board_of(engine)
  local baskets, count = board.baskets, 0
  for id in engine.finished, engine do
    local basket = baskets[id]
    if basket then
      put(board, id, basket)
      count = count + 1
    end
  end
  return count
end

--- The engine cannot go on: tell everybody.
---@param engine celements.Engine
---@param problem string
function M.fail(engine, problem)
  local board = board_of(engine)
  local baskets = {}
  for id, basket in pairs(board.baskets) do
    baskets[id] = basket
  end
  for id, basket in pairs(baskets) do
    basket.problem = basket.problem or problem
    put(board, id, basket)
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
  local _, basket = next(board_of(engine).baskets)
  return basket
end

return M
