-- Changes of a node's journal, all or none. KEYS: nodes, journal. ARGV: node, instance, '1' if what is there is cleared
-- away first, how many records are put; then each key with its record; then the keys that are taken out.
-- Answers: 'another'; 'lost' if what this instance has written before is not there any more; or 'kept'.
local known = redis.call('HGET', KEYS[1], ARGV[1])
if known and string.match(known, '^%S+') ~= ARGV[2] then return {'another'} end
if ARGV[3] == '1' then
    redis.call('DEL', KEYS[2])
    redis.call('HSET', KEYS[2], 'run', ARGV[2])
elseif redis.call('HGET', KEYS[2], 'run') ~= ARGV[2] then
    return {'lost'}
end
local at = 5
for _ = 1, tonumber(ARGV[4]) do
    redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
    at = at + 2
end
while ARGV[at] do
    redis.call('HDEL', KEYS[2], ARGV[at])
    at = at + 1
end
return {'kept'}
