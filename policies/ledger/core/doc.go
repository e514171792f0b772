// Package core is the ledger's one step as arithmetic: what a call of a replica
// does to the money that the store keeps. It knows no store, no clock and no
// network. Time comes in as a number, and the state is a few maps.
//
// The words. A cell is a budget node in one window ("people/ada|2026-11-23").
// A replica is a gateway process. What a replica has of a cell is its open holds
// and its settlements that the store has not booked yet. The store keeps for
// each cell what is settled and what all replicas have together; what is left is
// limit − settled − has. A call says what the replica has now, and that takes
// the place of what the store knew: drawing, giving back, settling, the
// heartbeat and the recovery after a crash of the store are all this one step.
//
// State.Step is the definition. policies/store/sqlite runs it inside a
// transaction; policies/store/redis does the same in Lua inside the server;
// policies/store/storetest holds both against it.
//
// Start with Step and Answer, then State.Step.
package core
