// Package iso9660 reads ISO 9660 images: those of installers, with the names, modes and links of
// Rock Ridge, or else the names of Joliet. Files may have several extents, as those over 4 GiB do.
// An image is not trusted: whatever it claims, no more is read or kept than is there, and no
// folder is visited twice. What is only in the UDF half of an image is not seen.
package iso9660

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"unicode/utf16"
)

const (
	sector     = 2048
	maxFolder  = 64 << 20 // bytes of records; those of 500,000 files
	maxDepth   = 64
	maxHops    = 64 // from one continuation of a record to the next
	maxLinkLen = 4096
)

// Image is an image that has been opened.
type Image struct {
	r      io.ReaderAt
	size   int64
	block  int64
	root   extent
	joliet bool
	rock   bool
	skip   int // bytes before the system use entries of each record
}

type extent struct{ at, size int64 }

// Entry is a file, folder or link of an image.
type Entry struct {
	Path string      // from the root, separated by slashes
	Mode fs.FileMode // type and permissions
	Link string      // what a symbolic link leads to
	Size int64

	of      *Image
	extents []extent
}

// Open reads the content of a file.
func (e *Entry) Open() io.Reader {
	parts := make([]io.Reader, len(e.extents))
	for i, x := range e.extents {
		parts[i] = io.NewSectionReader(e.of.r, x.at, x.size)
	}
	return io.MultiReader(parts...)
}

var errFormat = errors.New("not a sound ISO 9660 image")

func broken(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errFormat, fmt.Sprintf(format, args...))
}

// Is tells whether an image begins as one of ISO 9660 does.
func Is(r io.ReaderAt) bool {
	b := make([]byte, 6)
	_, err := r.ReadAt(b, 16*sector)
	return err == nil && string(b[1:]) == "CD001"
}

// Open finds the root folder of an image of the given size.
func Open(r io.ReaderAt, size int64) (*Image, error) {
	i := &Image{r: r, size: size}
	var primary, joliet []byte
	for at := int64(16); at < 16+256; at++ {
		d, err := i.read(at*sector, sector)
		if err != nil {
			return nil, err
		}
		if string(d[1:6]) != "CD001" {
			break
		}
		switch {
		case d[0] == 1 && primary == nil:
			primary = d
		case d[0] == 2 && isJoliet(d):
			joliet = d
		}
		if d[0] == 255 {
			break
		}
	}
	if primary == nil {
		return nil, broken("no volume descriptor")
	}
	if err := i.use(primary); err != nil {
		return nil, err
	}
	if err := i.detect(); err != nil {
		return nil, err
	}
	if !i.rock && joliet != nil {
		i.joliet = true
		return i, i.use(joliet)
	}
	return i, nil
}

func isJoliet(d []byte) bool {
	e := d[88:91]
	return e[0] == '%' && e[1] == '/' && (e[2] == '@' || e[2] == 'C' || e[2] == 'E')
}

// use takes the block size and the root from a volume descriptor.
func (i *Image) use(d []byte) error {
	i.block = int64(binary.LittleEndian.Uint16(d[128:]))
	if i.block != 512 && i.block != 1024 && i.block != 2048 {
		return broken("blocks of %d bytes", i.block)
	}
	x, err := i.extent(d[156:190])
	i.root = x
	return err
}

// extent is where the content of a record lies.
func (i *Image) extent(rec []byte) (extent, error) {
	x := extent{
		at:   (int64(binary.LittleEndian.Uint32(rec[2:])) + int64(rec[1])) * i.block, // after the extended attributes
		size: int64(binary.LittleEndian.Uint32(rec[10:])),
	}
	if x.at+x.size > i.size {
		return x, broken("content beyond the end")
	}
	return x, nil
}

func (i *Image) read(at, n int64) ([]byte, error) {
	if at < 0 || n < 0 || at+n > i.size {
		return nil, broken("it ends early")
	}
	b := make([]byte, n)
	if _, err := i.r.ReadAt(b, at); err != nil {
		return nil, fmt.Errorf("read image: %w", err)
	}
	return b, nil
}

// detect looks for Rock Ridge, which the first record of the root tells of.
func (i *Image) detect() error {
	b, err := i.read(i.root.at, min(i.root.size, sector))
	if err != nil {
		return err
	}
	if len(b) < 34 || int(b[0]) > len(b) || b[0] < 34 {
		return broken("the root folder is empty")
	}
	su := systemUse(b[:b[0]], 0)
	if len(su) >= 7 && su[0] == 'S' && su[1] == 'P' && su[4] == 0xbe && su[5] == 0xef {
		i.rock, i.skip = true, int(su[6])
	}
	return nil
}

// systemUse is what follows the name of a record.
func systemUse(rec []byte, skip int) []byte {
	at := 33 + int(rec[32])
	if rec[32]%2 == 0 {
		at++
	}
	if at += skip; at >= len(rec) {
		return nil
	}
	return rec[at:]
}

// Walk calls fn for everything in the image: folders before what is in them.
func (i *Image) Walk(fn func(*Entry) error) error {
	w := &walk{Image: i, fn: fn, seen: map[int64]bool{}}
	return w.folder(i.root, "", 0)
}

type walk struct {
	*Image
	fn   func(*Entry) error
	seen map[int64]bool // folders, by where they begin
}

func (w *walk) folder(x extent, prefix string, depth int) error {
	if depth > maxDepth {
		return broken("folders are nested deeper than %d: %s", maxDepth, prefix)
	}
	if x.size > maxFolder {
		return broken("the folder /%s has %d bytes of records", prefix, x.size)
	}
	if w.seen[x.at] {
		return broken("the folder /%s is inside itself, or twice there", prefix)
	}
	w.seen[x.at] = true
	b, err := w.read(x.at, x.size)
	if err != nil {
		return err
	}
	var begun *Entry // of which more extents come
	for at := 0; at < len(b); {
		n := int(b[at])
		if n == 0 { // records do not cross sectors
			at += sector - at%sector
			continue
		}
		if n < 34 || at+n > len(b) || 33+int(b[at+32]) > n {
			return broken("a record of /%s", prefix)
		}
		rec := b[at : at+n]
		at += n
		if rec[32] == 1 && rec[33] <= 1 { // the folder itself, and the one above
			continue
		}
		d, err := w.record(rec)
		if err != nil {
			return fmt.Errorf("in /%s: %w", prefix, err)
		}
		if d.moved { // it is shown where it was moved from
			continue
		}
		if begun != nil {
			begun.extents = append(begun.extents, d.x)
			begun.Size += d.x.size
		} else {
			begun = &Entry{Path: prefix + d.name, Mode: d.mode, Link: d.link, Size: d.x.size, of: w.Image, extents: []extent{d.x}}
		}
		if rec[25]&0x80 != 0 {
			continue
		}
		e := begun
		begun = nil
		if e.Mode&fs.ModeSymlink != 0 || e.Mode.IsDir() {
			e.Size = 0
		}
		if err := w.fn(e); err != nil {
			return err
		}
		if e.Mode.IsDir() {
			if err := w.folder(d.x, e.Path+"/", depth+1); err != nil {
				return err
			}
		}
	}
	if begun != nil {
		return broken("/%s lacks its last part", begun.Path)
	}
	return nil
}

// details are those of one record.
type details struct {
	name  string
	mode  fs.FileMode
	link  string
	x     extent
	moved bool // this is where it was moved to
	deep  bool // this is where it was moved from
}

func (i *Image) record(rec []byte) (d details, err error) {
	if rec[26] != 0 || rec[27] != 0 {
		return d, broken("an interleaved file, which is not supported")
	}
	raw := rec[33 : 33+int(rec[32])]
	d.name, d.mode = plainName(raw), 0o444
	if i.joliet {
		d.name = jolietName(raw)
	}
	folder := rec[25]&2 != 0
	if folder {
		d.mode = fs.ModeDir | 0o555
	}
	if d.x, err = i.extent(rec); err != nil {
		return d, err
	}
	if i.rock {
		if err := i.rockRidge(rec, &d); err != nil {
			return d, err
		}
	}
	if d.deep {
		folder, d.mode = true, fs.ModeDir|0o555
	}
	if folder != d.mode.IsDir() {
		return d, broken("%q is a folder and is none", d.name)
	}
	if d.name == "" || d.name == "." || d.name == ".." || strings.ContainsAny(d.name, "/\x00") {
		return d, broken("the name %q", d.name)
	}
	return d, nil
}

// plainName is without the version.
func plainName(raw []byte) string {
	name, _, _ := strings.Cut(string(raw), ";")
	return strings.TrimSuffix(name, ".")
}

func jolietName(raw []byte) string {
	u := make([]uint16, len(raw)/2)
	for j := range u {
		u[j] = binary.BigEndian.Uint16(raw[2*j:])
	}
	name, _, _ := strings.Cut(string(utf16.Decode(u)), ";")
	return name
}

// rockRidge reads the entries of a record that say what Unix calls it.
func (i *Image) rockRidge(rec []byte, d *details) error {
	var name strings.Builder
	var link target
	named := false
	su := systemUse(rec, i.skip)
	for hops := 0; su != nil; hops++ {
		if hops > maxHops {
			return broken("the record of %q goes on for ever", d.name)
		}
		var next []byte
		for len(su) >= 4 {
			n := int(su[2])
			if n < 4 || n > len(su) {
				break // padding
			}
			e := su[:n]
			su = su[n:]
			switch tag := string(e[:2]); {
			case tag == "ST":
				su = nil
			case tag == "NM" && n >= 5:
				named = true
				name.Write(e[5:])
			case tag == "PX" && n >= 12:
				d.mode = unixMode(binary.LittleEndian.Uint32(e[4:]))
			case tag == "SL" && n >= 5:
				link.add(e[5:])
			case tag == "RE":
				d.moved = true
			case tag == "CL" && n >= 12:
				if err := i.moved(e, d); err != nil {
					return err
				}
			case tag == "ZF":
				return broken("%q is compressed with zisofs, which is not supported", d.name)
			case tag == "CE" && n >= 28:
				var err error
				at := int64(binary.LittleEndian.Uint32(e[4:]))*i.block + int64(binary.LittleEndian.Uint32(e[12:]))
				if next, err = i.read(at, min(int64(binary.LittleEndian.Uint32(e[20:])), sector)); err != nil {
					return err
				}
			}
		}
		su = next
	}
	if named {
		d.name = name.String()
	}
	if d.mode&fs.ModeSymlink != 0 {
		d.link = link.String()
		if len(d.link) > maxLinkLen || d.link == "" {
			return broken("the link %q", d.name)
		}
	}
	if rec[25]&2 != 0 && d.mode&fs.ModeType == 0 {
		d.mode |= fs.ModeDir
	}
	return nil
}

// moved finds a folder that was put elsewhere because it lies too deep.
func (i *Image) moved(e []byte, d *details) error {
	at := int64(binary.LittleEndian.Uint32(e[4:])) * i.block
	self, err := i.read(at, 34)
	if err != nil {
		return err
	}
	d.deep = true
	d.x, err = i.extent(self)
	return err
}

func unixMode(m uint32) fs.FileMode {
	mode := fs.FileMode(m & 0o777)
	switch m & 0o170000 {
	case 0o040000:
		mode |= fs.ModeDir
	case 0o120000:
		mode |= fs.ModeSymlink
	case 0o100000, 0:
	default:
		mode |= fs.ModeIrregular // a device, a pipe, a socket
	}
	return mode
}

// target puts together what a link leads to. A part may be spread over several components, and
// those over several entries.
type target struct {
	text bytes.Buffer
	open bool // the last part goes on
}

func (t *target) add(components []byte) {
	for len(components) >= 2 {
		flags, n := components[0], int(components[1])
		if 2+n > len(components) || t.text.Len() > maxLinkLen {
			return
		}
		part := components[2 : 2+n]
		components = components[2+n:]
		if !t.open && t.text.Len() > 0 && t.text.Bytes()[t.text.Len()-1] != '/' {
			t.text.WriteByte('/')
		}
		switch {
		case flags&2 != 0:
			t.text.WriteByte('.')
		case flags&4 != 0:
			t.text.WriteString("..")
		case flags&8 != 0:
			t.text.WriteByte('/')
		default:
			t.text.Write(part)
		}
		t.open = flags&1 != 0
	}
}

func (t *target) String() string { return t.text.String() }
