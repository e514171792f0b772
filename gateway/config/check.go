package config

import (
	"fmt"
	"net"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"farthing/policies/budget"
	"farthing/providers"
)

// check looks at every value while it is decoded, whatever its section.
func (l *Loaded) check(path string, value any) []providers.Problem {
	switch v := value.(type) {
	case *providers.Secret:
		l.secrets = append(l.secrets, secretAt{path: path, Secret: *v})
		return checkSecret(path, *v)
	case *providers.Money:
		return checkMoney(path, *v)
	case *budget.Limit:
		return checkMoney(path, v.Amount)
	case *providers.Price:
		return checkPrice(path, *v)
	case *providers.Percent:
		if *v > 1_000_000 {
			return []providers.Problem{providers.Problemf(path, "is more than 100%%")}
		}
	case *float64:
		if *v < 0 || *v > 1 {
			return []providers.Problem{providers.Problemf(path, "takes a number from 0 to 1")}
		}
	case *string:
		return checkText(path, *v)
	}
	return checkOther(path, value)
}

// checkOther finds amounts behind named types, such as money per second.
func checkOther(path string, value any) []providers.Problem {
	v := reflect.ValueOf(value).Elem()
	if v.CanConvert(reflect.TypeFor[providers.Money]()) && strings.HasPrefix(v.Type().Name(), "Money") {
		return checkMoney(path, providers.Money(v.Int()))
	}
	return nil
}

// checkMoney keeps amounts where the store counts exactly: below 2^53
// nano-dollars.
func checkMoney(path string, m providers.Money) []providers.Problem {
	switch {
	case m < 0:
		return []providers.Problem{providers.Problemf(path, "is less than nothing")}
	case m > providers.MaxMoney:
		return []providers.Problem{providers.Problemf(path, "is more than %s, the largest amount that is counted exactly", providers.MaxMoney.USD())}
	}
	return nil
}

// checkPrice notices prices per token: per million tokens nothing has ever cost
// less than a tenth of a cent, per token nothing more.
func checkPrice(path string, p providers.Price) []providers.Problem {
	if p <= 0 || p >= 1000 {
		return nil
	}
	return []providers.Problem{providers.Problemf(path, "looks like a price per token: prices are dollars per million tokens, so multiply it by 1000000")}
}

// checkText refuses an empty `when`, which could mean always as well as never.
func checkText(path, text string) []providers.Problem {
	if strings.TrimSpace(text) != "" || !strings.HasSuffix(path, ".when") {
		return nil
	}
	return []providers.Problem{providers.Problemf(path, "is empty: write an expression, or take the line out for every request")}
}

// problems are the mistakes that no section sees alone.
func (f *File) problems() []providers.Problem {
	var found []providers.Problem
	if f.Timezone != "" {
		if _, err := time.LoadLocation(f.Timezone); err != nil || f.Timezone == "Local" {
			found = append(found, providers.Problemf("timezone", "%q is no time zone: write UTC or a name such as Europe/Berlin", f.Timezone))
		}
	}
	found = append(found, listener("server.listen", f.Server.Listen)...)
	found = append(found, listener("server.admin.listen", f.Server.Admin.Listen)...)
	for i, a := range f.Alerts {
		found = append(found, a.problems(fmt.Sprintf("alerts[%d]", i))...)
	}
	return append(found, f.names()...)
}

func listener(path, address string) []providers.Problem {
	if address == "" {
		return nil
	}
	_, port, err := net.SplitHostPort(address)
	if _, bad := strconv.ParseUint(port, 10, 16); err != nil || bad != nil {
		return []providers.Problem{providers.Problemf(path, "%q is no address to listen on: write host:port, such as 127.0.0.1:4700", address)}
	}
	return nil
}

// subjects are what alerts can be about.
var subjects = []string{"budget", "provider", "engine", "store", "price"}

func (a Alert) problems(path string) []providers.Problem {
	var found []providers.Problem
	if a.Slack.IsZero() == a.Webhook.IsZero() {
		found = append(found, providers.Problemf(path, "goes to one place: write slack or webhook"))
	}
	for i, s := range a.About {
		if !slices.Contains(subjects, s) {
			found = append(found, providers.Problemf(fmt.Sprintf("%s.about[%d]", path, i), "%q is nothing to alert about: known are %s", s, strings.Join(subjects, ", ")))
		}
	}
	return found
}

// targetPart is what can stand before the first / of a target.
var targetPart = regexp.MustCompile(`^[^/*\s]+$`)

// names checks that providers and engines share one namespace and can be
// written as the first part of a target.
func (f *File) names() []providers.Problem {
	var found []providers.Problem
	for _, name := range sorted(f.Providers) {
		found = append(found, nameable("providers."+name, name)...)
	}
	for _, name := range sorted(f.Engines) {
		found = append(found, nameable("engines."+name, name)...)
		if _, both := f.Providers[name]; both {
			found = append(found, providers.Problemf("engines."+name, "is also the name of a provider: targets are written name/model, so one of them needs another name"))
		}
	}
	return found
}

func nameable(path, name string) []providers.Problem {
	if targetPart.MatchString(name) {
		return nil
	}
	return []providers.Problem{providers.Problemf(path, "a name that stands before the / of a target has no /, * or space")}
}
