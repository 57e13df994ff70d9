//go:build !linux

package files

import (
	"os"
	"syscall"
)

// syncAll makes all that was written durable.
func syncAll(*os.File) error {
	syscall.Sync()
	return nil
}
