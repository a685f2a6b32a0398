-- The place of a call is given up. ARGV: node, instance, call. Answers: 'nobody', 'another', 'released'.
local mine = owner()
if mine ~= 'mine' then return {mine} end
local call = redis.call('HGET', CALLS, ARGV[3])
if call and parts(call) == NODE then drop(ARGV[3]) end
return {'released'}
