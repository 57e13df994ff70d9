package app

import (
	"os"
	"path/filepath"
	"runtime"

	"drp/server/files"
)

// openFiles opens the tree of the file ports. Its Rule comes before those of workflow.
func (a *App) openFiles() (err error) {
	if a.files, err = files.Open(filepath.Join(a.cfg.BaseRoot, "tftpboot"), tools()); err != nil {
		return err
	}
	a.trees, err = files.NewTrees(a.files, a.objects, a.log)
	return err
}

// replaced is where a certificate is kept that a client has put in place of the server's own; "",
// when it was started with one.
func (a *App) replaced(name string) string {
	if a.cfg.TLSCert != "" {
		return ""
	}
	return filepath.Join(a.cfg.BaseRoot, name)
}

// tools are the files that machines fetch to become ours, by their names, where they lie beside
// this program: the client of each platform as drpcli.ARCH.OS, that of our own also as drp, which
// is jq as well.
func tools() map[string]string {
	self, err := os.Executable()
	if err != nil {
		return nil
	}
	if real, err := filepath.EvalSymlinks(self); err == nil {
		self = real
	}
	dir := filepath.Dir(self)
	found := map[string]string{}
	if list, err := filepath.Glob(filepath.Join(dir, "drpcli.*.*")); err == nil {
		for _, f := range list {
			found[filepath.Base(f)] = f
		}
	}
	if st, err := os.Stat(filepath.Join(dir, "drp")); err == nil && st.Mode().IsRegular() {
		found["drpcli."+runtime.GOARCH+"."+runtime.GOOS] = filepath.Join(dir, "drp")
		found["jq"] = filepath.Join(dir, "drp")
	}
	return found
}
