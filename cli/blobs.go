package cli

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"path"
	"strconv"
	"strings"

	"drp/cli/client"
	"drp/models"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// blobs are the commands of files, or of isos.
func (a *app) blobs(area string) *cobra.Command {
	what := map[string]string{"files": "files that machines download", "isos": "images of installers, which boot environments name"}[area]
	c := a.group(area, "Work with "+area,
		fmt.Sprintf("Upload, download, list and remove %s.\nThey are on the file ports of the server too, below /%s.", what, area),
		fmt.Sprintf("drp %s list\ndrp %s upload ./image.iso as image.iso", area, area))
	download := a.downloadBlob(area)
	download.Aliases = []string{"show", "get"}
	c.AddCommand(a.listBlobs(area), a.uploadBlob(area), download, a.blobExists(area), a.destroyBlob(area),
		a.static(area), a.certs("static", "the HTTPS file port"))
	return c
}

func (a *app) listBlobs(area string) *cobra.Command {
	var recurse bool
	return a.command(verb{
		use: "list [path]", short: "List " + area,
		long:    fmt.Sprintf("List the %s, or those in a folder, by name; names of folders end in a slash. --recurse lists\nthe files of the folders below as well.", area),
		example: fmt.Sprintf("drp %s list --recurse", area), args: between(0, 1, " requires at most 1 argument"),
		flags: func(f *pflag.FlagSet) { f.BoolVar(&recurse, "recurse", false, "list the files in all folders below") },
		run: func(ctx context.Context, args []string) error {
			q := url.Values{}
			if len(args) > 0 {
				q.Set("path", args[0])
			}
			if recurse {
				q.Set("all", "true")
			}
			return a.prints(a.do(ctx, http.MethodGet, area, nil, client.WithQuery(q)))
		},
	})
}

func (a *app) uploadBlob(area string) *cobra.Command {
	var explode bool
	return a.command(verb{
		use: "upload [src] as [dest]", short: "Upload a file",
		long: fmt.Sprintf("Upload a file, the content of a URL or - (stdin) to the %s under the name DEST, or its own.\n"+
			"Folders are made as they are needed, and what is there under the name is replaced once all has\narrived: never by half.\n"+
			"--explode unpacks an archive (zip, tar, tar with gzip, bzip2, xz or zstd, iso) into the folder of DEST too.", area),
		example: fmt.Sprintf("drp %s upload tools.tar.gz as tools/tools.tar.gz --explode", area),
		args:    all(odd3(" requires 1 or 2 arguments"), word(1, "as")),
		flags:   func(f *pflag.FlagSet) { f.BoolVar(&explode, "explode", false, "unpack the archive into its folder") },
		run: func(ctx context.Context, args []string) error {
			src, dest := args[0], path.Base(args[0])
			if len(args) == 3 {
				dest = args[2]
			}
			r, size, err := a.openSource(ctx, src)
			if err != nil {
				return verbatim("Error opening src file %s: %w", src, err)
			}
			defer r.Close()
			var opts []client.Option
			if explode {
				opts = append(opts, client.WithFlag("explode", "true"))
			}
			return a.prints(a.sendBlob(ctx, r, size, area, dest, "", opts...))
		},
	})
}

// odd3 takes one argument or three: a fixed word stands between two.
func odd3(complaint string) arity {
	return func(c *cobra.Command, args []string) string {
		if len(args) != 1 && len(args) != 3 {
			return c.UseLine() + complaint
		}
		return ""
	}
}

// openSource opens what is to be uploaded; the size is -1 when it is not known.
func (a *app) openSource(ctx context.Context, src string) (io.ReadCloser, int64, error) {
	switch {
	case src == "-":
		return io.NopCloser(a.In), -1, nil
	case strings.HasPrefix(src, "http://") || strings.HasPrefix(src, "https://"):
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, src, nil)
		if err != nil {
			return nil, 0, err
		}
		resp, err := a.elsewhere(req)
		if err != nil {
			return nil, 0, err
		}
		if resp.StatusCode != http.StatusOK {
			resp.Body.Close()
			return nil, 0, fmt.Errorf("download %s: %s", src, resp.Status)
		}
		return resp.Body, resp.ContentLength, nil
	}
	f, err := os.Open(src)
	if err != nil {
		return nil, 0, errNoSource
	}
	st, err := f.Stat()
	if err != nil || st.IsDir() {
		f.Close()
		return nil, 0, errNoSource
	}
	if !st.Mode().IsRegular() {
		return f, -1, nil
	}
	return f, st.Size(), nil
}

// sendBlob uploads one file and compares checksums: what the server has with what was read and, if that
// is known, with what it should be.
func (a *app) sendBlob(ctx context.Context, r io.Reader, size int64, area, name, want string, opts ...client.Option) (json.RawMessage, error) {
	h := sha256.New()
	bar := a.progress(name, size, 0)
	var answer http.Header
	opts = append(opts, client.WithAnswerHeader(&answer))
	raw, err := a.do(ctx, http.MethodPost, area+"/"+name, io.Reader(io.TeeReader(bar.reader(r), h)), opts...)
	bar.end(err == nil)
	if err != nil {
		return nil, err
	}
	sent := hex.EncodeToString(h.Sum(nil))
	if got := answer.Get("X-DRP-SHA256SUM"); got != "" && got != sent {
		return nil, fmt.Errorf("%s/%s has arrived damaged: the SHA-256 is %s, and was %s; upload it again", area, name, got, sent)
	}
	if want != "" && !strings.EqualFold(want, sent) {
		return nil, fmt.Errorf("%s/%s is not what it should be: its SHA-256 is %s, and should be %s", area, name, sent, want)
	}
	return raw, nil
}

func (a *app) downloadBlob(area string) *cobra.Command {
	return a.command(verb{
		use: "download [item] to [dest]", short: "Download a file",
		long: fmt.Sprintf("Write one of the %s to stdout, or to the file DEST (- is stdout). DEST is replaced once all has arrived and\n"+
			"its checksum is right; a download that was interrupted goes on where it ended, and what DEST has already is\n"+
			"not sent again.", area),
		example: fmt.Sprintf("drp %s download image.iso to ./image.iso", area),
		args:    all(odd3(" requires 1 or 2 arguments"), word(1, "to")),
		run: func(ctx context.Context, args []string) error {
			at := area + "/" + args[0]
			if len(args) == 1 || args[2] == "-" {
				return a.client.Do(ctx, http.MethodGet, at, nil, a.Out)
			}
			return a.fetch(ctx, at, args[2])
		},
	})
}

// sumOf is the checksum of a file of the server.
func (a *app) sumOf(ctx context.Context, at string) (string, int64, error) {
	var h http.Header
	if err := a.client.Do(ctx, http.MethodHead, at, nil, nil, client.WithAnswerHeader(&h)); err != nil {
		return "", 0, err
	}
	sum := h.Get("X-DRP-SHA256SUM")
	if sum == "" {
		sum = strings.TrimPrefix(strings.Trim(h.Get("ETag"), `"`), "SHA256:")
	}
	size, err := strconv.ParseInt(h.Get("Content-Length"), 10, 64)
	if err != nil {
		size = -1
	}
	return sum, size, nil
}

// fetch downloads a file. The part that has arrived lies beside it, under a name that says of what.
func (a *app) fetch(ctx context.Context, at, dest string) error {
	sum, size, err := a.sumOf(ctx, at)
	if models.ClassOf(err) == models.NotFound {
		area, name, _ := strings.Cut(at, "/")
		return models.Problem(models.NotFound, area, "/"+name, "Not a regular file").Typed(http.MethodGet)
	}
	if err != nil {
		return err
	}
	if have, err := fileSum(dest); err == nil && have == sum {
		return nil
	}
	part := fmt.Sprintf("%s.%.16s.part", dest, sum)
	f, err := os.OpenFile(part, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	begun, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return err
	}
	if size >= 0 && begun > size {
		if begun, err = 0, errors.Join(f.Truncate(0)); err != nil {
			return err
		}
	}
	bar := a.progress(path.Base(at), size, begun)
	err = a.rest(ctx, at, sum, size, f, begun, bar)
	bar.end(err == nil)
	if err != nil {
		return fmt.Errorf("%w (what has arrived is kept in %s; the same command goes on from there)", err, part)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return err
	}
	if got, err := fileSum(part); err != nil || got != sum && sum != "" {
		return errors.Join(err, os.Remove(part), fmt.Errorf("%s has arrived damaged: its SHA-256 is %s, and should be %s; download it again", at, got, sum))
	}
	return os.Rename(part, dest)
}

// rest appends what is missing of a file, again and again as long as some of it arrives.
func (a *app) rest(ctx context.Context, at, sum string, size int64, f *os.File, begun int64, bar *bar) error {
	for {
		if begun == size {
			return nil
		}
		if _, err := f.Seek(begun, io.SeekStart); err != nil {
			return err
		}
		w := &appender{f: f, bar: bar}
		err := a.client.Do(ctx, http.MethodGet, at, nil, w, client.WithHeader("Range", fmt.Sprintf("bytes=%d-", begun)), client.WithHeader("If-Range", `"SHA256:`+sum+`"`))
		begun += w.n
		var refused *models.Error
		switch {
		case err == nil && size < 0, err == nil && begun == size:
			return nil
		case err == nil:
			return fmt.Errorf("%s has changed meanwhile", at)
		case errors.As(err, &refused), ctx.Err() != nil, w.n == 0:
			return err
		}
	}
}

type appender struct {
	f   *os.File
	n   int64
	bar *bar
}

func (w *appender) Write(p []byte) (int, error) {
	n, err := w.f.Write(p)
	w.n += int64(n)
	w.bar.add(n)
	return n, err
}

func fileSum(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func (a *app) blobExists(area string) *cobra.Command {
	return a.command(verb{
		use: "exists [item]", short: "Tell whether a file is there, and its checksum",
		long:    "Print the name and the SHA-256 of a file that is on the server, or fail.",
		example: fmt.Sprintf("drp %s exists image.iso && echo yes", area), args: exactly(1),
		run: func(ctx context.Context, args []string) error {
			sum, _, err := a.sumOf(ctx, area+"/"+args[0])
			if models.ClassOf(err) == models.NotFound {
				return fmt.Errorf("%s:%s does not exist", area, args[0])
			}
			if err != nil {
				return err
			}
			return a.say("%s: %s", args[0], sum)
		},
	})
}

func (a *app) destroyBlob(area string) *cobra.Command {
	return a.command(verb{
		use: "destroy [item]", short: "Remove a file", long: "Remove a file, or a folder that is empty, from the server.",
		example: fmt.Sprintf("drp %s destroy image.iso", area), args: exactly(1),
		run: func(ctx context.Context, args []string) error {
			if _, err := a.do(ctx, http.MethodDelete, area+"/"+args[0], nil); err != nil {
				return err
			}
			return a.say("Deleted %s", args[0])
		},
	})
}

// static is a file as machines get it.
func (a *app) static(area string) *cobra.Command {
	return a.command(verb{
		use: "static [item]", short: "Show a file as the file port serves it",
		long:    "Write what the HTTP file port of the server answers for a path from its root: a file, or what is\nrendered there for machines.",
		example: "drp " + area + " static files/image.iso > image.iso", args: exactly(1),
		run: func(ctx context.Context, args []string) error {
			info, err := client.Get[models.Info](ctx, a.client, "info")
			if err != nil {
				return err
			}
			if info.FilePort == 0 {
				return errors.New("the static file service is not running")
			}
			base, err := url.Parse(a.client.Endpoint())
			if err != nil {
				return err
			}
			at := url.URL{Scheme: "http", Host: net.JoinHostPort(base.Hostname(), strconv.Itoa(info.FilePort)), Path: path.Join("/", args[0])}
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, at.String(), nil)
			if err != nil {
				return err
			}
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if resp.StatusCode != http.StatusOK {
				return fmt.Errorf("GET %s: %s", at.String(), resp.Status)
			}
			_, err = io.Copy(a.Out, resp.Body)
			return err
		},
	})
}
