package redis

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"farthing/policies/key"

	goredis "github.com/redis/go-redis/v9"
)

const (
	keysKey       = "{k}:keys"    // hash → JSON
	keyVersionKey = "{k}:version" // rises with every put
	keyChangedKey = "{k}:changed" // hashes by the version that put them
)

// putKey raises the version and writes key and version together.
var putKey = goredis.NewScript(`
local version = redis.call('INCR', KEYS[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[2])
redis.call('ZADD', KEYS[3], version, ARGV[1])
return version`)

// changedKeys reads version and changes at one moment.
var changedKeys = goredis.NewScript(`
local reply = {tonumber(redis.call('GET', KEYS[1]) or '0')}
for _, hash in ipairs(redis.call('ZRANGEBYSCORE', KEYS[3], '(' .. ARGV[1], '+inf')) do
  reply[#reply + 1] = redis.call('HGET', KEYS[2], hash)
end
return reply`)

var keyKeys = []string{keyVersionKey, keysKey, keyChangedKey}

// PutKey writes the key under its hash, as key.Store says.
func (s *Store) PutKey(ctx context.Context, k key.Key) error {
	body, err := json.Marshal(k)
	if err != nil {
		return fmt.Errorf("key %s: %w", k.Name, err)
	}
	return down(putKey.Run(ctx, s.client, keyKeys, k.Hash.String(), body).Err())
}

// GetKey reads one key, as key.Store says.
func (s *Store) GetKey(ctx context.Context, h key.Hash) (key.Key, bool, error) {
	body, err := s.client.HGet(ctx, keysKey, h.String()).Result()
	if errors.Is(err, goredis.Nil) {
		return key.Key{}, false, nil
	}
	if err != nil {
		return key.Key{}, false, down(err)
	}
	k, err := parseKey(body)
	return k, err == nil, err
}

// ListKeys reads every key, as key.Store says.
func (s *Store) ListKeys(ctx context.Context) ([]key.Key, error) {
	bodies, err := s.client.HVals(ctx, keysKey).Result()
	if err != nil {
		return nil, down(err)
	}
	list := make([]key.Key, 0, len(bodies))
	for _, body := range bodies {
		k, err := parseKey(body)
		if err != nil {
			return nil, err
		}
		list = append(list, k)
	}
	return list, nil
}

// ChangedKeys reads what was put after a version, as key.Store says.
func (s *Store) ChangedKeys(ctx context.Context, since int64) ([]key.Key, int64, error) {
	reply, err := changedKeys.Run(ctx, s.client, keyKeys, since).Slice()
	if err != nil {
		return nil, 0, down(err)
	}
	r := reader{list: reply}
	version := r.int()
	var list []key.Key
	for r.more() {
		k, err := parseKey(r.text())
		if err != nil {
			return nil, 0, err
		}
		list = append(list, k)
	}
	return list, version, r.failed()
}

func parseKey(body string) (k key.Key, err error) {
	if err = json.Unmarshal([]byte(body), &k); err != nil {
		return key.Key{}, fmt.Errorf("a key in the store: %w", err)
	}
	return k, nil
}
