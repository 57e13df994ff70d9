// Command bench-pocketbase is PocketBase as drp-bench starts it: every commit synced to the disk,
// no log of requests, and one collection that anybody may read and write.
//
//	bench-pocketbase serve --http 127.0.0.1:8090 --dir DIR
package main

import (
	"log"

	"github.com/pocketbase/dbx"
	"github.com/pocketbase/pocketbase"
	"github.com/pocketbase/pocketbase/core"
	"github.com/pocketbase/pocketbase/tools/types"
)

func main() {
	app := pocketbase.NewWithConfig(pocketbase.Config{HideStartBanner: true, DBConnect: durable})
	app.OnServe().BindFunc(func(e *core.ServeEvent) error {
		e.InstallerFunc = nil // it would open a browser
		if err := prepare(e.App); err != nil {
			return err
		}
		return e.Next()
	})
	if err := app.Start(); err != nil {
		log.Fatal("bench-pocketbase: ", err)
	}
}

// durable opens a database as core.DefaultDBConnect does, but with synchronous(FULL): its NORMAL
// loses the newest commits with the power.
func durable(path string) (*dbx.DB, error) {
	return dbx.Open("sqlite", path+"?_pragma=busy_timeout(10000)&_pragma=journal_mode(WAL)&_pragma=journal_size_limit(200000000)"+
		"&_pragma=synchronous(FULL)&_pragma=foreign_keys(ON)&_pragma=temp_store(MEMORY)&_pragma=cache_size(-32000)&_defensive=1")
}

// prepare makes the collection that is measured.
func prepare(app core.App) error {
	app.Settings().Logs.MaxDays = 0 // no log of requests
	if err := app.Save(app.Settings()); err != nil {
		return err
	}
	if _, err := app.FindCollectionByNameOrId("objects"); err == nil {
		return nil
	}
	c := core.NewBaseCollection("objects")
	anybody := types.Pointer("")
	c.ListRule, c.ViewRule, c.CreateRule, c.UpdateRule = anybody, anybody, anybody, anybody
	c.Fields.Add(
		&core.TextField{Name: "value", Max: 100},
		&core.TextField{Name: "note", Max: 1 << 20},
		&core.JSONField{Name: "params", MaxSize: 1 << 20},
	)
	return app.Save(c)
}
