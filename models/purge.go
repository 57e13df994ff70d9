package models

// Purge says which jobs that have ended are old enough to go. What is zero chooses none; a job that
// is the current one of its machine always stays.
type Purge struct {
	Machine  string // only jobs of this machine; "": of all
	Keep     int    // the newest of each machine that stay; 0: any number
	Failed   int    // seconds after which failed jobs go; 0: never
	Complete int    // seconds after which finished jobs go; 0: never
	DryRun   bool   // only count
}

// Purged is what a purge of jobs has done, or would do.
type Purged struct {
	Purged int      // jobs that went, with their logs
	Kept   int      // jobs that stayed
	DryRun bool     // nothing has gone really
	Jobs   []string // UUIDs of those that went, at most the first 1,000
}
