package upstream

import (
	"sync"
	"time"
)

// State is a breaker's state, as metrics show it.
type State uint8

// The states of a breaker.
const (
	Closed   State = iota // calls go through
	HalfOpen              // one call at a time tries whether the target is back
	Open                  // no call goes through
)

var stateNames = [...]string{"closed", "half_open", "open"}

// String is closed, half_open or open.
func (s State) String() string { return stateNames[s] }

// Outcome is what a call showed about its target.
type Outcome uint8

// The outcomes of a call.
const (
	Neutral Outcome = iota // nothing: the client left, or the request was at fault
	Success
	Fault
)

// BreakerOptions say when a target counts as failing. Zero values mean the
// figures given here.
type BreakerOptions struct {
	Consecutive int           // faults in a row that open it: 5
	Percent     int           // share of faults within Window that opens it: 50
	MinCalls    int           // calls within Window before the share counts: 20
	Window      time.Duration // 30 s
	Rest        time.Duration // how long it stays open first: 2 s, doubled at each failed try
	MaxRest     time.Duration // and at most: 60 s
	Now         func() time.Time
}

const slots = 10 // of a window

// Breaker keeps calls away from a target that keeps failing. It is safe for
// concurrent use; Allow and Report cost a mutex and no allocation.
type Breaker struct {
	o  BreakerOptions
	mu sync.Mutex

	state   State
	turn    uint64 // from 1, changes with the state; reports of earlier turns are void
	inRow   int
	rest    time.Duration
	until   time.Time // when an open breaker lets one call try
	trying  bool
	started time.Time // of the slot in use
	slot    int
	calls   [slots]int
	faults  [slots]int
}

// Ticket is Allow's permission for one call, to be handed to Report. It is
// never 0, which its holder may use for none.
type Ticket uint64

// NewBreaker makes a closed breaker.
func NewBreaker(o BreakerOptions) *Breaker {
	def := func(v *int, d int) {
		if *v <= 0 {
			*v = d
		}
	}
	defTime := func(v *time.Duration, d time.Duration) {
		if *v <= 0 {
			*v = d
		}
	}
	def(&o.Consecutive, 5)
	def(&o.Percent, 50)
	def(&o.MinCalls, 20)
	defTime(&o.Window, 30*time.Second)
	defTime(&o.Rest, 2*time.Second)
	defTime(&o.MaxRest, time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Breaker{o: o, rest: o.Rest, started: o.Now(), turn: 1}
}

// Allow says whether a call may be sent now. If so, the ticket must come back
// through Report, whatever becomes of the call.
func (b *Breaker) Allow() (Ticket, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state == Open && !b.o.Now().Before(b.until) {
		b.become(HalfOpen)
	}
	switch {
	case b.state == Open, b.state == HalfOpen && b.trying:
		return 0, false
	case b.state == HalfOpen:
		b.trying = true
	}
	return Ticket(b.turn), true
}

// Report says what the call of a ticket showed.
func (b *Breaker) Report(t Ticket, o Outcome) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if uint64(t) != b.turn {
		return
	}
	if b.state == HalfOpen {
		b.tried(o)
		return
	}
	if o == Neutral {
		return
	}
	b.turnSlots()
	b.calls[b.slot]++
	if o == Success {
		b.inRow = 0
		return
	}
	b.inRow++
	b.faults[b.slot]++
	if b.inRow >= b.o.Consecutive || b.failing() {
		b.open()
	}
}

// tried ends the try of a half-open breaker.
func (b *Breaker) tried(o Outcome) {
	b.trying = false
	switch o {
	case Success:
		b.rest = b.o.Rest
		b.calls, b.faults, b.inRow = [slots]int{}, [slots]int{}, 0
		b.become(Closed)
	case Fault:
		b.rest = min(2*b.rest, b.o.MaxRest)
		b.open()
	case Neutral: // the next call tries
	}
}

func (b *Breaker) open() {
	b.until = b.o.Now().Add(b.rest)
	b.become(Open)
}

func (b *Breaker) become(s State) {
	b.state, b.trying = s, false
	b.turn++
}

// failing says that enough calls of the window failed.
func (b *Breaker) failing() bool {
	calls, faults := 0, 0
	for i := range slots {
		calls += b.calls[i]
		faults += b.faults[i]
	}
	return calls >= b.o.MinCalls && faults*100 >= calls*b.o.Percent
}

// turnSlots drops what is older than the window.
func (b *Breaker) turnSlots() {
	now, width := b.o.Now(), b.o.Window/slots
	for i := 0; now.Sub(b.started) >= width; i++ {
		if i == slots {
			b.started = now
			return
		}
		b.started = b.started.Add(width)
		b.slot = (b.slot + 1) % slots
		b.calls[b.slot], b.faults[b.slot] = 0, 0
	}
}

// State is the present state and, for an open breaker, how long it stays so.
func (b *Breaker) State() (State, time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.state != Open {
		return b.state, 0
	}
	return Open, max(0, b.until.Sub(b.o.Now()))
}
