package flow

import (
	"context"
	"strings"

	"farthing/policies/key"
	"farthing/providers"
)

// identify finds the key that the request is booked to. A request from this
// machine needs none while the file leaves that open; any bearer that is not
// one of our keys is then taken as none.
func (c *call) identify(ctx context.Context) error {
	in := c.in
	if in.Local && c.state.Open && !strings.HasPrefix(in.Header.Key, key.Prefix) {
		c.key = c.flow.keys.Local()
		return c.book()
	}
	if in.Header.Key == "" {
		return &providers.Error{
			Kind: providers.Unauthenticated, Code: "missing_api_key",
			Message: "no key was sent: use Authorization: Bearer fk-… (make one with `farthing keys create`)",
		}
	}
	k, err := c.flow.keys.Lookup(ctx, in.Header.Key)
	if err != nil {
		return err
	}
	c.key = k
	return c.book()
}

// book notes whom the request is for: the user is the key's owner, unless the
// key may speak for others; the key's own tags win over the header's.
func (c *call) book() error {
	tags, err := parseTags(c.in.Header.Tags)
	if err != nil {
		return err
	}
	for name, value := range c.key.Tags {
		if tags == nil {
			tags = make(map[string]string, len(c.key.Tags))
		}
		tags[name] = value
	}
	user := c.key.Owner
	if c.key.TrustUserHeader && c.in.Header.User != "" {
		user = c.in.Header.User
	}
	c.vars.Key, c.vars.Team, c.vars.User = c.key.Name, c.key.Team, user
	c.vars.Tags, c.vars.Session = tags, c.in.Header.Session
	c.vars.Format = string(c.in.Format)
	r := c.receipt
	r.Key, r.Owner, r.User, r.Team, r.Tags, r.Session = c.key.Name, c.key.Owner, user, c.key.Team, tags, c.in.Header.Session
	return nil
}

// Bounds on what a client may write into receipts and rollups.
const (
	maxTags      = 16
	maxTagLength = 128
)

// parseTags reads "a=b,c": a tag without a value is set to "".
func parseTags(header string) (map[string]string, error) {
	if header == "" {
		return nil, nil
	}
	tags := map[string]string{}
	for _, pair := range strings.Split(header, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		if name == "" || len(name) > maxTagLength || len(value) > maxTagLength || len(tags) == maxTags {
			return nil, &providers.Error{
				Kind: providers.Invalid, Param: "x-farthing-tags",
				Message: "x-farthing-tags must be up to 16 tags such as app=chat,env=prod, each of at most 128 bytes",
			}
		}
		tags[name] = value
	}
	return tags, nil
}

// mayUse checks a model's name against the key's own list.
func (c *call) mayUse(model string) error {
	if c.flow.keys.MayUse(c.key, model) {
		return nil
	}
	return &providers.Error{
		Kind: providers.Forbidden, Code: "model_not_allowed", Param: "model",
		Message: "the key " + c.key.Name + " may not use " + quote(model) + ": its may_use lists " + strings.Join(c.flow.keys.Allowed(c.key), ", "),
	}
}

// quote writes a client's word for a message, shortened.
func quote(s string) string {
	if len(s) > 100 {
		s = s[:100] + "…"
	}
	return "`" + s + "`"
}
