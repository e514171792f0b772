// Package dashboards holds what shows where the money goes: the page that the
// binary serves under /dashboard/ (web, embedded from its build) and dashboards
// for Grafana (grafana, provisioned by docker-compose.yml). This version has
// neither; figures come from GET /admin/v1/budgets, the receipts and /metrics.
package dashboards
