package redis

import (
	"context"
	"fmt"
	"strings"
	"time"

	"farthing/policies/store"

	goredis "github.com/redis/go-redis/v9"
)

// durability is what a crash of the server may cost.
type durability int32

const (
	unasked  durability = iota
	unknown             // CONFIG is denied: treated as the weakest
	memory              // appendonly no: everything since the last snapshot
	lazy                // appendfsync no: what the operating system had not written
	everysec            // about a second
	always              // nothing that was answered
)

// everysecWait is how long a write under appendfsync everysec may take to reach
// the disk where the server cannot say so (WAITAOF: Redis 7.2 or Valkey).
const everysecWait = 2 * time.Second

var levels = map[durability]string{
	unknown:  "durability unknown (CONFIG is denied): budgets count on a crash losing everything since the last snapshot",
	memory:   "appendonly is off: a crash loses everything since the last snapshot",
	lazy:     "appendfsync is no: a crash loses what the operating system had not written, usually 30 seconds",
	everysec: "appendfsync is everysec: a crash loses about a second of writes",
	always:   "appendfsync is always: a crash loses nothing that was answered",
}

// Describe says in one line which server this is and what a crash of it may
// cost, and warns of what weakens the budgets. It is an error if the server may
// throw keys away to make room, or if it is a read-only replica.
func (s *Store) Describe(ctx context.Context) (string, []string, error) {
	info, err := s.client.Info(ctx).Result()
	if err != nil {
		return "", nil, down(err)
	}
	config := s.config(ctx)
	level := levelOf(config)
	s.level.Store(int32(level))
	line := fmt.Sprintf("Redis %s, %s", field(info, "redis_version"), levels[level])
	if field(info, "role") == "slave" {
		return line, nil, fmt.Errorf("the store's Redis is a read-only replica of %s: name the master", field(info, "master_host"))
	}
	if policy := field(info, "maxmemory_policy"); policy != "noeviction" && policy != "" {
		return line, nil, fmt.Errorf("the store's Redis has maxmemory-policy %s and may throw budgets away: set maxmemory-policy noeviction", policy)
	}
	return line, s.warnings(level, info), nil
}

func (s *Store) warnings(level durability, info string) []string {
	var list []string
	if level < everysec {
		list = append(list, levels[level]+"; set appendonly yes and appendfsync always (or everysec)")
	}
	if n := field(info, "connected_slaves"); n != "0" && n != "" {
		list = append(list, "Redis has replicas: a fail-over loses what they had not yet received; "+
			"set min-replicas-to-write 1, or a split brain may spend what is left twice")
	}
	return list
}

// config reads what CONFIG GET shows, nil where it is denied.
func (s *Store) config(ctx context.Context) map[string]string {
	config, err := s.client.ConfigGet(ctx, "append*").Result()
	if err != nil {
		return nil
	}
	return config
}

func levelOf(config map[string]string) durability {
	switch {
	case config["appendonly"] == "":
		return unknown
	case config["appendonly"] != "yes":
		return memory
	case config["appendfsync"] == "always":
		return always
	case config["appendfsync"] == "everysec":
		return everysec
	}
	return lazy
}

// Durable returns when everything answered before is as durable as the server
// makes it: at once where it never is (appendonly off) or always is, else when
// WAITAOF says so, or after two seconds where the server has no WAITAOF.
func (s *Store) Durable(ctx context.Context) error {
	if durability(s.level.Load()) == unasked {
		s.level.Store(int32(levelOf(s.config(ctx))))
	}
	switch durability(s.level.Load()) {
	case memory, always:
		return nil
	}
	if s.waitAOF(ctx) {
		return nil
	}
	wait := time.NewTimer(everysecWait)
	defer wait.Stop()
	select {
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", store.ErrDown, ctx.Err())
	case <-wait.C:
		return nil
	}
}

// waitAOF asks the server to wait for its own disk. The command looks only at
// what its connection wrote, so something is written first.
func (s *Store) waitAOF(ctx context.Context) bool {
	var synced *goredis.Cmd
	_, err := s.client.Pipelined(ctx, func(p goredis.Pipeliner) error {
		p.HIncrBy(ctx, ledgerKey, "syncs", 1)
		synced = p.Do(ctx, "WAITAOF", 1, 0, everysecWait.Milliseconds())
		return nil
	})
	if err != nil {
		return false
	}
	reply, err := synced.Int64Slice()
	return err == nil && len(reply) > 0 && reply[0] >= 1
}

// field reads a line of INFO.
func field(info, name string) string {
	_, rest, found := strings.Cut(info, "\n"+name+":")
	if !found {
		return ""
	}
	value, _, _ := strings.Cut(rest, "\r\n")
	return value
}
