package sqlite

import (
	"testing"

	"drp/server/store"
	"drp/server/store/storetest"
)

func TestEngineKeepsThePromisesOfTheStore(t *testing.T) {
	storetest.Run(t, func(t *testing.T, dir string) store.Engine { return must(t, dir) })
}
