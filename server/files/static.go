package files

import (
	"net/http"
	"path"
	"strings"
)

// Handler serves the tree to everybody: whole files and ranges of them, no lists of folders, and
// no more than what lies in the tree. An upload has its checksum as ETag.
func (s *Store) Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD; upload through the API", http.StatusMethodNotAllowed)
			return
		}
		f, err := s.Served(r.URL.Path)
		if err != nil {
			http.NotFound(w, r)
			return
		}
		defer f.Close()
		area, name, _ := strings.Cut(strings.Trim(r.URL.Path, "/"), "/")
		if area == Files || area == Isos {
			if f.Sum, err = s.sum(r.Context(), area+"/"+name, f); err != nil {
				http.Error(w, "the file cannot be read", http.StatusInternalServerError)
				return
			}
		}
		Serve(w, r, f)
	})
}

// Served opens a file of the tree by its path from there. It is not told apart why one cannot be
// had.
func (s *Store) Served(name string) (*File, error) {
	clean, ok := clean(name)
	if !ok || strings.HasSuffix(name, "/") || clean == hidden || strings.HasPrefix(clean, hidden+"/") {
		return nil, notRegular("", name)
	}
	if area, rest, ok := strings.Cut(clean, "/"); ok && (area == Files || area == Isos) {
		return s.open(area, rest)
	}
	f, err := openRegular(s.root.Stat, s.root.Open, clean)
	if err != nil {
		return nil, notRegular("", name)
	}
	return f, nil
}

// Serve answers a GET or HEAD with a file, the range of it that is asked for, or that it is the one
// that the client has.
func Serve(w http.ResponseWriter, r *http.Request, f *File) {
	if f.Sum != "" {
		w.Header().Set("ETag", `"SHA256:`+f.Sum+`"`)
		w.Header().Set("X-DRP-SHA256SUM", f.Sum)
	}
	if w.Header().Get("Content-Type") == "" {
		w.Header().Set("Content-Type", contentType(path.Ext(r.URL.Path)))
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	http.ServeContent(w, r, "", f.Info.ModTime(), f)
}

// contentType is never one that a browser would run: anybody who may upload could else act for
// whoever opens it.
func contentType(ext string) string {
	switch ext {
	case ".txt", ".cfg", ".ks", ".sh", ".tmpl", ".ipxe", ".yaml", ".yml":
		return "text/plain; charset=utf-8"
	case ".json":
		return "application/json"
	}
	return "application/octet-stream"
}
