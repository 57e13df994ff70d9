package models

import "time"

// LogLine is a line of the server's log as the API tells it (api.md 8.5).
type LogLine struct {
	Group         int64 // lines of one request share it; here always 0
	Seq           int64 // rises by one with every line since the start
	Time          time.Time
	Service       string // the part of the server that speaks
	Principal     string // who caused it, where that is known
	Level         string // trace, debug, info, warn, error or audit
	File          string
	Line          int
	Message       string
	Data          []any // further facts, as "name=value"
	IgnorePublish bool
}

// LogLevels are the levels that can be asked for, from the lowest; audit is always logged.
var LogLevels = []string{"trace", "debug", "info", "warn", "error", "fatal", "panic", "audit"}
