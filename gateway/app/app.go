package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"farthing/gateway/admin"
	"farthing/gateway/app/plan"
	"farthing/gateway/app/world"
	"farthing/gateway/config"
	"farthing/gateway/edge"
	"farthing/gateway/flow"
	"farthing/gateway/record"
	"farthing/gateway/telemetry"
	"farthing/policies/estimate"
	"farthing/policies/key"
	"farthing/policies/ledger"
)

// Version is the gateway's version.
const Version = "0.1.0"

const (
	refreshEvery = 10 * time.Second // how often engines are asked for their models
	drainWithin  = 25 * time.Second // for requests on their way, once the gateway stops
	closeWithin  = 10 * time.Second // for their settlements to be booked
	startWithin  = 5 * time.Second  // for the store's first answers
)

// Options say what to serve.
type Options struct {
	Config    string // path of the file; "" for the built-in defaults
	FirstKey  bool   // make a key if there is none, and print it once
	PublicURL string // under which people reach the gateway, for the printed curl line
	Log       *slog.Logger
	Out       io.Writer // for people: what serves, and where
	// Serving is called once the listeners are open, with their addresses; nil
	// where nobody wants to know.
	Serving func(data, operations string)
}

// App is a gateway: everything wired, and not serving yet.
type App struct {
	o            Options
	log          *slog.Logger
	adminKeyPath string

	store     backend
	keys      *key.Ring
	ledger    *ledger.Ledger
	recorder  *record.Recorder
	telemetry *telemetry.Telemetry
	flow      *flow.Flow
	estimator *estimate.Estimator
	edge      *edge.Server
	admin     *admin.Service
	process   *world.Process

	mu  sync.Mutex // of whoever replaces now
	now atomic.Pointer[plan.Plan]
}

// New wires a gateway. It opens the store and the data folder and starts the
// embedded engine where one is needed; Run serves and ends all of it.
func New(ctx context.Context, o Options) (*App, error) {
	loaded, err := load(o.Config, o.Log)
	if err != nil {
		return nil, err
	}
	a := &App{o: o, log: o.Log}
	a.process = world.NewProcess(o.Log, a.moved)
	a.mu.Lock()
	err = a.build(ctx, loaded)
	a.mu.Unlock()
	if err != nil {
		return nil, errors.Join(err, a.close(ctx))
	}
	return a, nil
}

// load reads the file and reports what is wrong with it by itself.
func load(path string, log *slog.Logger) (*config.Loaded, error) {
	if path == "" {
		return config.Default(), nil
	}
	loaded, found := config.Load(path)
	report(log, found)
	return loaded, config.Err(found)
}

// report logs warnings; errors are the caller's to return.
func report(log *slog.Logger, found []config.Diagnostic) {
	for _, d := range found {
		if d.Warning {
			log.Warn(d.String())
		}
	}
}

func (a *App) build(ctx context.Context, loaded *config.Loaded) error {
	file := &loaded.File
	if err := openData(file.Data); err != nil {
		return err
	}
	next, found := plan.Compile(ctx, loaded, nil, a.process.Start)
	report(a.log, found)
	if err := config.Err(found); err != nil {
		return err
	}
	a.now.Store(next)
	go estimate.Tokens("o200k_base", "warm") // reading the vocabulary takes as long as some answers
	if err := a.openParts(ctx, file); err != nil {
		return err
	}
	adminKey, err := a.letIn(file)
	if err != nil {
		return err
	}
	a.flow = flow.New(flow.Parts{
		Keys: a.keys, Estimator: a.estimator, Ledger: a.ledger, Recorder: a.recorder,
		Telemetry: a.telemetry, Log: a.log, AdminKey: adminKey,
	}, next.State)
	a.admin = a.service()
	a.edge, err = edge.New(edge.Options{
		Listen: file.Server.Listen, AdminListen: file.Server.Admin.Listen, TLSCert: file.Server.TLS.Cert, TLSKey: file.Server.TLS.Key,
		LoopbackOnly: plan.LoopbackOnly(file), Ready: a.ready, Log: a.log,
		Handlers: map[string]flow.Handler{"chat.completions": a.flow.Chat, "models": a.flow.Models, "receipts": a.flow.Receipt},
	})
	if err != nil {
		return err
	}
	a.edge.Mount("/admin/v1", admin.Handler(a.admin, adminKey))
	a.edge.Mount("/metrics", a.telemetry.Handler())
	return nil
}

// openParts opens the store and what stands on it.
func (a *App) openParts(ctx context.Context, file *config.File) (err error) {
	limited, cancel := context.WithTimeout(ctx, startWithin)
	defer cancel()
	var down error
	if a.store, down, err = openStore(limited, file); err != nil {
		return err
	}
	if down != nil {
		a.log.Error("the store cannot be reached: only self-hosted targets serve until it can", "error", down)
	}
	endpoint := ""
	if !file.Telemetry.OTLP.IsZero() {
		if endpoint, err = file.Telemetry.OTLP.Resolve(); err != nil {
			return fmt.Errorf("telemetry.otlp: %w", err)
		}
	}
	if a.telemetry, err = telemetry.New(ctx, endpoint, Version); err != nil {
		return err
	}
	a.keys = key.NewRing(a.store, a.now.Load().Keys, time.Now, a.log)
	_ = a.keys.Refresh(limited) // a store that is away has been reported
	offline, err := ledger.ParseWhenDown(file.Store.WhenDown.Paid)
	if err != nil {
		return err
	}
	a.estimator = estimate.New()
	if err := a.recall(limited); err != nil && down == nil {
		a.log.Warn("answers' lengths are learned anew", "error", err)
	}
	a.ledger = ledger.New(a.store, ledger.Options{Zone: file.Location(), Offline: offline, Clock: time.Now})
	if a.recorder, err = record.NewRecorder(a.store, a.log); err != nil {
		return err
	}
	return a.gauges()
}

// Run serves until ctx ends or a listener fails, then drains: requests on their
// way end, their settlements are booked, and the store is closed.
func (a *App) Run(ctx context.Context) error {
	if err := a.edge.Open(ctx); err != nil {
		return errors.Join(fmt.Errorf("cannot listen: %w", err), a.close(ctx))
	}
	work, stopWork := context.WithCancel(context.WithoutCancel(ctx))
	var working sync.WaitGroup
	for _, task := range []func(context.Context){
		func(ctx context.Context) { a.keys.Run(ctx, key.RefreshEvery) }, a.refreshEngines, a.remember, a.watch,
	} {
		working.Go(func() { task(work) })
	}
	records, stopRecords := context.WithCancel(context.WithoutCancel(ctx))
	go a.recorder.Run(records)
	err := a.banner(ctx) // whoever gets an answer can also read how
	failed := make(chan error, 1)
	go func() { failed <- a.edge.Run() }()
	if a.o.Serving != nil {
		a.o.Serving(a.edge.Addr())
	}
	if err == nil {
		select {
		case <-ctx.Done():
			a.log.Info("stopping: requests on their way are finished first")
		case err = <-failed:
		}
	}
	stopWork()
	working.Wait()
	a.drain(context.WithoutCancel(ctx))
	stopRecords()
	a.recorder.Wait()
	return errors.Join(err, a.close(context.WithoutCancel(ctx)))
}

// drain lets requests end; what is left after drainWithin is cut off and settled
// as such.
func (a *App) drain(ctx context.Context) {
	limited, cancel := context.WithTimeout(ctx, drainWithin)
	defer cancel()
	if err := a.edge.Shutdown(limited); err != nil {
		a.log.Warn("requests were cut off", "error", err)
	}
	a.flow.Drain(limited)
	booked, cancel := context.WithTimeout(ctx, closeWithin)
	defer cancel()
	if err := a.ledger.Close(booked); err != nil {
		a.log.Error("not everything was booked", "error", err)
	}
	a.ledger = nil
}

// close ends what New began and Run has not ended.
func (a *App) close(ctx context.Context) (err error) {
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWithin)
	defer cancel()
	a.process.Close()
	if a.ledger != nil {
		err = errors.Join(err, a.ledger.Close(limited))
	}
	if a.telemetry != nil {
		err = errors.Join(err, a.telemetry.Close(limited))
	}
	if a.store != nil {
		err = errors.Join(err, a.store.Close())
	}
	return err
}

// watch follows the file and SIGHUP.
func (a *App) watch(ctx context.Context) {
	if a.o.Config == "" {
		return
	}
	again := make(chan os.Signal, 1)
	signal.Notify(again, syscall.SIGHUP)
	defer signal.Stop(again)
	if err := config.Watch(ctx, a.serving().Loaded, again, a.apply, a.log); err != nil {
		a.log.Error("changes of the file will go unnoticed", "error", err)
	}
}
