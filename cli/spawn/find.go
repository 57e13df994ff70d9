package spawn

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Find is the folder that holds all the programs: the one given or, if that is "", the folder of
// this program or ./bin.
func Find(given string, programs ...string) (string, error) {
	tried := []string{given}
	if given == "" {
		self, err := os.Executable()
		if err != nil {
			return "", err
		}
		tried = []string{filepath.Dir(self), "bin"}
	}
	for _, dir := range tried {
		dir, err := filepath.Abs(dir)
		if err != nil {
			return "", err
		}
		if holds(dir, programs) {
			return dir, nil
		}
	}
	return "", fmt.Errorf("%v are not in %v: run make build", programs, tried)
}

func holds(dir string, programs []string) bool {
	for _, p := range programs {
		st, err := os.Stat(filepath.Join(dir, p))
		if err != nil || !st.Mode().IsRegular() || st.Mode()&0o111 == 0 {
			return false
		}
	}
	return true
}

// Build compiles programs of this module into a folder, as make does so that nothing is compiled
// twice. It is for tests.
func Build(ctx context.Context, dir string, packages ...string) error {
	for _, pkg := range packages {
		build := exec.CommandContext(ctx, "go", "build", "-o", filepath.Join(dir, filepath.Base(pkg)), pkg)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			return fmt.Errorf("build %s: %w\n%s", pkg, err, out)
		}
	}
	return nil
}
