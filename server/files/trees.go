package files

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"drp/models"
	"drp/server/objects"
)

// Trees unpacks the ISOs that boot environments name, each into the folder that their templates
// speak of, and keeps the boot environments available or not accordingly. It does so one after the
// other in the background; what is cut off is done again.
type Trees struct {
	store   *Store
	objects *objects.Service
	log     *slog.Logger
	kick    chan struct{}

	mu     sync.RWMutex
	marks  map[string]mark   // what lies unpacked, by folder
	isos   map[string]bool   // ISOs that are there
	failed map[string]string // why a want is not met although its ISO is there, by its id
	again  bool              // one of them failed for a reason that may pass, such as a full disk
}

// mark says what a folder was unpacked from. It is written when all of it is on the disk.
type mark struct {
	Folder string
	Iso    string
	Sum    string
}

// want is what a boot environment needs for an architecture.
type want struct {
	env, arch     string
	folder        string // "": the boot environment has none
	iso, sum, url string
	files         []string // that the kernel and the initrds are to be
	trouble       string   // why it can never be met as it stands
	alone         bool     // the boot environment has no other
}

func (w want) id() string {
	return strings.Join(append([]string{w.folder, w.iso, w.sum}, w.files...), "\x00")
}

// reserved are first parts of a path that no OS may take.
var reserved = []string{Files, Isos, hidden, "machines"}

// FolderOf is where the files of a boot environment lie for an architecture, from the root of the
// tree; false when the name of its OS is no path.
func FolderOf(b *models.BootEnv, arch string) (string, bool) {
	name, ok := clean(b.OS.Name)
	if first, _, _ := strings.Cut(name, "/"); !ok || name != b.OS.Name || slices.Contains(reserved, first) {
		return "", false
	}
	if arch != "amd64" {
		name += "/" + arch
	}
	if strings.HasSuffix(b.Name, "-install") {
		name += "/install"
	}
	return name, true
}

// wants are the ISOs a boot environment names, the top-level one being for amd64.
func wants(b *models.BootEnv) []want {
	var list []want
	add := func(arch, iso, sum, url, kernel string, initrds []string) {
		w := want{env: b.Name, arch: arch, iso: iso, sum: strings.ToLower(sum), url: url}
		for _, f := range append([]string{kernel}, initrds...) {
			if f != "" {
				w.files = append(w.files, f)
			}
		}
		var ok bool
		if w.folder, ok = FolderOf(b, arch); !ok {
			w.trouble = fmt.Sprintf("OS.Name %q cannot be the folder that the ISO is unpacked to", b.OS.Name)
		}
		if c, ok := clean(iso); !ok || c != iso {
			w.trouble = fmt.Sprintf("IsoFile %q cannot be the name of an ISO", iso)
		}
		list = append(list, w)
	}
	for _, name := range slices.Sorted(mapKeys(b.OS.SupportedArchitectures)) {
		if a := b.OS.SupportedArchitectures[name]; a.IsoFile != "" {
			add(models.ArchOf(name), a.IsoFile, a.Sha256, a.IsoUrl, a.Kernel, a.Initrds)
		}
	}
	first := func(w want) bool { return w.arch == "amd64" }
	if b.OS.IsoFile != "" && !slices.ContainsFunc(list, first) {
		add("amd64", b.OS.IsoFile, b.OS.IsoSha256, b.OS.IsoUrl, b.Kernel, b.Initrds)
	}
	for i := range list {
		list[i].alone = len(list) == 1
	}
	return list
}

func mapKeys[V any](m map[string]V) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// NewTrees adds the Rule of boot environments, which must come before those of what uses them.
// Nothing is unpacked before Run.
func NewTrees(store *Store, svc *objects.Service, log *slog.Logger) (*Trees, error) {
	t := &Trees{
		store: store, objects: svc, log: log, kick: make(chan struct{}, 1),
		marks: map[string]mark{}, isos: map[string]bool{}, failed: map[string]string{},
	}
	if err := t.load(); err != nil {
		return nil, fmt.Errorf("unpacked ISOs: %w", err)
	}
	store.OnChange(t.uploaded)
	svc.AddRule("bootenvs", t.rule)
	svc.Follow(func(c *objects.Commit) {
		if slices.ContainsFunc(c.Changes, func(w objects.Committed) bool { return w.Kind == "bootenvs" }) {
			t.wake()
		}
	})
	return t, nil
}

func (t *Trees) wake() {
	select {
	case t.kick <- struct{}{}:
	default:
	}
}

func (t *Trees) load() error {
	names, err := t.store.List(Isos, "", true)
	if err != nil {
		return err
	}
	for _, n := range names {
		t.isos[n] = true
	}
	entries, err := fs.ReadDir(t.store.root.FS(), trees)
	if err != nil {
		return err
	}
	for _, e := range entries {
		var m mark
		raw, err := t.store.root.ReadFile(trees + "/" + e.Name())
		if err != nil || json.Unmarshal(raw, &m) != nil || markFile(m.Folder) != trees+"/"+e.Name() {
			continue // cut off while it was written: unpacked again
		}
		if st, err := t.store.root.Stat(m.Folder); err == nil && st.IsDir() {
			t.marks[m.Folder] = m
		}
	}
	return nil
}

func markFile(folder string) string {
	h := sha256.Sum256([]byte(folder))
	return trees + "/" + hex.EncodeToString(h[:16])
}

// uploaded hears of uploads and removals.
func (t *Trees) uploaded(area, name string) {
	if area != Isos {
		return
	}
	t.mu.Lock()
	names, err := t.store.List(Isos, "", true)
	if err == nil {
		clear(t.isos)
		for _, n := range names {
			t.isos[n] = true
		}
	}
	clear(t.failed) // all of it is looked at again
	t.mu.Unlock()
	t.wake()
}

// rule makes a boot environment unavailable that waits for its ISOs. One for several
// architectures is available when one of them is: its machines are told apart by theirs.
func (t *Trees) rule(_ *objects.Tx, c *objects.Change) error {
	if c.New == nil {
		return nil
	}
	b := c.New.(*models.BootEnv)
	if line := unbootable(b); line != "" {
		b.Available, b.Errors = false, append(b.Errors, b.Name+": "+line)
		return nil
	}
	var lines []string
	list := wants(b)
	for _, w := range list {
		if line := t.lacks(w); line != "" {
			lines = append(lines, b.Name+": "+line)
		}
	}
	if len(lines) > 0 && len(lines) == len(list) {
		b.Available, b.Errors = false, append(b.Errors, lines...)
	}
	return nil
}

// netboot are the names of templates that make a machine load a kernel over the network.
var netboot = []string{"ipxe", "ipxe-mac", "pxelinux", "pxelinux-mac"}

// unbootable is what keeps a boot environment from ever booting a machine, or "". The words are
// those of Digital Rebar.
func unbootable(b *models.BootEnv) string {
	starts := func(t models.TemplateInfo) bool { return slices.Contains(netboot, t.Name) }
	switch {
	case b.OS.Name == "" && len(wants(b)) > 0:
		return "bootenv: Missing OS.Name"
	case b.Kernel != "" && !slices.ContainsFunc(b.Templates, starts):
		return "bootenv: Missing elilo or pxelinux template"
	}
	return ""
}

// lacks is why a want is not met, or "".
func (t *Trees) lacks(w want) string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if w.trouble != "" {
		return w.trouble
	}
	if why := t.failed[w.id()]; why != "" {
		return why
	}
	if t.met(w) {
		return ""
	}
	of := ""
	if !w.alone {
		of = " for " + w.arch
	}
	if t.isos[w.iso] {
		return fmt.Sprintf("ISO %s%s is being unpacked", w.iso, of)
	}
	line := fmt.Sprintf("ISO %s%s is missing; upload it as isos/%s", w.iso, of, w.iso)
	if w.url != "" {
		line += ", from " + w.url
	}
	return line
}

// met tells whether what is wanted lies unpacked. The caller holds mu.
func (t *Trees) met(w want) bool {
	m, ok := t.marks[w.folder]
	return ok && m.Iso == w.iso && (w.sum == "" || m.Sum == w.sum)
}

// Unpacked tells whether an ISO lies unpacked in a folder of the tree.
func (t *Trees) Unpacked(folder string) bool {
	t.mu.RLock()
	defer t.mu.RUnlock()
	_, ok := t.marks[folder]
	return ok
}

// retry is how long after a failure that may pass unpacking is tried again.
const retry = 5 * time.Minute

// Run unpacks what is wanted until ctx ends.
func (t *Trees) Run(ctx context.Context) {
	for {
		if err := t.Settle(ctx); err != nil && ctx.Err() == nil {
			t.log.Error("unpacking ISOs", "error", err)
		}
		timer := time.NewTimer(retry)
		select {
		case <-t.kick:
		case <-timer.C:
			t.forgive()
		case <-ctx.Done():
		}
		timer.Stop()
		if ctx.Err() != nil {
			return
		}
	}
}

func (t *Trees) forgive() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.again {
		t.again = false
		clear(t.failed)
	}
}

// Settle unpacks what is wanted now and not there, and makes known what is.
func (t *Trees) Settle(ctx context.Context) error {
	list := t.wanted()
	if err := t.tell(ctx); err != nil {
		return err
	}
	for _, w := range list {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if !t.meet(ctx, w) {
			continue
		}
		if err := t.tell(ctx); err != nil {
			return err
		}
	}
	return nil
}

// wanted are the wants of all boot environments. Where two want other ISOs in the same folder, the
// first by name has it.
func (t *Trees) wanted() []want {
	var list []want
	owner := map[string]want{}
	for e := range t.objects.View().All("bootenvs") {
		for _, w := range wants(e.Object.(*models.BootEnv)) {
			if w.trouble != "" {
				continue
			}
			if o, ok := owner[w.folder]; ok && o.iso != w.iso {
				t.fail(w, fmt.Sprintf("its folder %s holds the ISO %s of the boot environment %s; give it another OS.Name", w.folder, o.iso, o.env))
				continue
			}
			owner[w.folder] = w
			list = append(list, w)
		}
	}
	return list
}

func (t *Trees) fail(w want, why string) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed[w.id()] == why {
		return false
	}
	t.failed[w.id()] = why
	return true
}

// meet unpacks an ISO unless that is done, or is known not to work. It tells whether anything is
// different now.
func (t *Trees) meet(ctx context.Context, w want) bool {
	t.mu.RLock()
	m, failed, there := t.marks[w.folder], t.failed[w.id()] != "", t.isos[w.iso]
	met := t.met(w)
	t.mu.RUnlock()
	if failed {
		return false
	}
	if there {
		f, err := t.store.Open(ctx, Isos, w.iso)
		if err != nil {
			return false // it has just gone, which is told too
		}
		sum := f.Sum
		f.Close()
		if w.sum != "" && sum != w.sum {
			if met {
				return t.missing(w) // of an earlier upload
			}
			return t.fail(w, fmt.Sprintf("ISO %s has the SHA-256 %s, and must have %s; upload the right one", w.iso, sum, w.sum))
		}
		if !met || m.Sum != sum {
			return t.explode(ctx, w, sum)
		}
	}
	return met && t.missing(w)
}

// missing notes files of a want that its ISO does not hold.
func (t *Trees) missing(w want) bool {
	for _, f := range w.files {
		c, ok := clean(f)
		if st, err := t.store.root.Stat(path.Join(w.folder, c)); !ok || err != nil || !st.Mode().IsRegular() {
			return t.fail(w, fmt.Sprintf("%s is not in the ISO %s", f, w.iso))
		}
	}
	return false
}

func (t *Trees) explode(ctx context.Context, w want, sum string) bool {
	t.log.Info("unpacking", "iso", w.iso, "folder", w.folder, "bootenv", w.env)
	stage, err := t.store.unpack(ctx, Isos+"/"+w.iso)
	if err == nil {
		defer t.store.root.RemoveAll(stage)
		err = t.swap(stage, mark{w.folder, w.iso, sum})
	}
	if err != nil && ctx.Err() != nil || errors.Is(err, errGone) {
		return false
	}
	if err != nil {
		t.log.Warn("an ISO cannot be unpacked", "iso", w.iso, "folder", w.folder, "error", err)
		if !errors.As(err, new(*archiveError)) {
			t.mu.Lock()
			t.again = true
			t.mu.Unlock()
		}
		return t.fail(w, fmt.Sprintf("ISO %s cannot be unpacked: %v", w.iso, err))
	}
	t.missing(w)
	t.log.Info("unpacked", "iso", w.iso, "folder", w.folder, "bootenv", w.env)
	return true
}

// errGone is that an ISO was removed while it was being unpacked.
var errGone = errors.New("the ISO was removed")

// swap puts a new tree in place of the one in a folder. The mark goes before the old tree does and
// comes after the new one, so that whatever a crash leaves is unpacked again. Trees of other
// folders below stay.
func (t *Trees) swap(stage string, m mark) error {
	s := t.store
	s.placing.Lock()
	defer s.placing.Unlock()
	t.mu.RLock()
	there := t.isos[m.Iso]
	t.mu.RUnlock()
	if !there {
		return errGone
	}
	if err := t.unmark(m.Folder); err != nil {
		return err
	}
	for dir := range parents(m.Folder) {
		if st, err := s.root.Lstat(dir); err == nil && !st.IsDir() {
			return bad("%s is in the way", dir)
		}
	}
	if err := s.makeDirs(path.Dir(m.Folder)); err != nil {
		return err
	}
	old := stage + ".old"
	switch err := s.root.Rename(m.Folder, old); {
	case err == nil:
		defer s.root.RemoveAll(old)
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	if err := s.root.Rename(stage, m.Folder); err != nil {
		return err
	}
	if err := t.keepInner(m.Folder, old); err != nil {
		return err
	}
	if err := errors.Join(s.syncDir(m.Folder), s.syncDir(path.Dir(m.Folder))); err != nil {
		return err
	}
	return t.mark(m)
}

// keepInner moves the trees that lay in the old one into the new one.
func (t *Trees) keepInner(folder, old string) error {
	t.mu.RLock()
	var inner []string
	for f := range t.marks {
		if strings.HasPrefix(f, folder+"/") {
			inner = append(inner, f)
		}
	}
	t.mu.RUnlock()
	slices.Sort(inner)
	for _, f := range inner {
		from := old + strings.TrimPrefix(f, folder)
		if _, err := t.store.root.Lstat(from); err != nil {
			continue // moved with the one it lies in
		}
		if err := t.store.makeDirs(path.Dir(f)); err != nil {
			return err
		}
		if err := errors.Join(t.store.root.RemoveAll(f), t.store.root.Rename(from, f)); err != nil {
			return err
		}
	}
	return nil
}

func (t *Trees) mark(m mark) error {
	raw, _ := json.Marshal(m) // strings only
	at := markFile(m.Folder)
	f, err := t.store.root.OpenFile(at, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(raw)
	if err := errors.Join(err, f.Sync(), f.Close(), t.store.syncDir(trees)); err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.marks[m.Folder] = m
	return nil
}

func (t *Trees) unmark(folder string) error {
	t.mu.Lock()
	delete(t.marks, folder)
	t.mu.Unlock()
	if err := t.store.root.Remove(markFile(folder)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return t.store.syncDir(trees)
}

// tell lets the boot environments that name an ISO be looked at by their Rule again.
func (t *Trees) tell(ctx context.Context) error {
	_, err := t.objects.Do(objects.WithActor(ctx, objects.System), false, func(tx *objects.Tx) error {
		var names []string
		for e := range tx.All("bootenvs") {
			if len(wants(e.Object.(*models.BootEnv))) > 0 {
				names = append(names, e.Object.Key())
			}
		}
		for _, n := range names {
			if err := tx.Recheck("bootenvs", n); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

// Purge removes what was unpacked for some architectures of a boot environment ("all", or none
// given: of every one). With again it is unpacked anew from the ISOs, and without the ISOs go too.
func (t *Trees) Purge(b *models.BootEnv, arches []string, again bool) error {
	if len(arches) == 0 {
		arches = []string{"all"}
	}
	list := wants(b)
	for _, a := range arches {
		known := func(w want) bool { return a == "all" || w.arch == models.ArchOf(a) }
		if a != "all" && !slices.ContainsFunc(list, known) {
			return models.Errorf(models.Invalid, b, "names no ISO for the architecture %s", a).Typed("ValidationError")
		}
	}
	for _, w := range list {
		if w.trouble != "" || !slices.ContainsFunc(arches, func(a string) bool { return a == "all" || w.arch == models.ArchOf(a) }) {
			continue
		}
		if !again { // before the tree, which would else be unpacked again
			if err := t.store.Delete(Isos, w.iso); err != nil && models.ClassOf(err) != models.NotFound {
				return err
			}
		}
		if err := t.remove(w.folder); err != nil {
			return fmt.Errorf("purge %s: %w", w.folder, err)
		}
	}
	t.mu.Lock()
	clear(t.failed)
	t.mu.Unlock()
	t.wake()
	return nil
}

// remove takes a tree away, but not those below it.
func (t *Trees) remove(folder string) error {
	s := t.store
	stage := tmp + "/" + strings.ReplaceAll(markFile(folder), "/", "-")
	if err := errors.Join(s.root.RemoveAll(stage), s.root.Mkdir(stage, 0o755)); err != nil {
		return err
	}
	defer s.root.RemoveAll(stage)
	s.placing.Lock()
	defer s.placing.Unlock()
	t.mu.RLock()
	_, ok := t.marks[folder]
	t.mu.RUnlock()
	if !ok {
		return nil // what lies there is not of our doing
	}
	if err := t.unmark(folder); err != nil {
		return err
	}
	old := stage + "/old"
	if err := s.root.Rename(folder, old); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return errors.Join(t.keepInner(folder, old), s.syncDir(path.Dir(folder)))
}
