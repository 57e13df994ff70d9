package api

import (
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"os"
	"strings"
	"time"

	"drp/models"
	"drp/models/patch"
)

// slowest is the fewest bytes a second of a body, on average.
const slowest = 1 << 10

// body is the body of a request that has to keep coming: it may neither stand still longer than
// stall nor trickle. How long it takes as a whole does not matter, so that large uploads over slow
// lines arrive.
type body struct {
	io.ReadCloser
	w     http.ResponseWriter
	stall time.Duration // 0: it may stand still for ever
	begun time.Time
	n     int64
}

func newBody(w http.ResponseWriter, b io.ReadCloser, stall time.Duration) io.ReadCloser {
	if stall <= 0 {
		return b
	}
	now := time.Now()
	nb := &body{ReadCloser: b, w: w, stall: stall, begun: now}
	nb.until(now.Add(stall)) // also for a body that nobody reads: net/http does, before it answers
	return nb
}

// until bounds the reads of the connection. One that cannot be bounded is a test's.
func (b *body) until(t time.Time) { _ = http.NewResponseController(b.w).SetReadDeadline(t) }

func (b *body) Read(p []byte) (int, error) {
	now := time.Now()
	due := now.Add(b.stall)
	if trickle := b.begun.Add(b.stall + time.Duration(b.n)*time.Second/slowest); trickle.Before(due) {
		due = trickle
	}
	b.until(due)
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	if errors.Is(err, io.EOF) {
		b.until(time.Time{}) // the answer may take its time
	}
	return n, err
}

// bodyError is why a body could not be read.
func bodyError(err error) *models.Error {
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return models.Problem(models.TooLarge, "", "", fmt.Sprintf("the body is larger than %s, the most that this route takes; send it in parts", size(large.Limit)))
	case errors.Is(err, os.ErrDeadlineExceeded):
		return models.Problem(models.TooSlow, "", "", "the body stood still or came too slowly; send it again, over a better line or in parts")
	}
	return models.Problem(models.BadRequest, "", "", "the body ended early: "+err.Error())
}

func size(n int64) string {
	if n >= 1<<20 {
		return fmt.Sprintf("%d MiB", n>>20)
	}
	return fmt.Sprintf("%d KiB", n>>10)
}

// json reads the whole body, which must not be nested deeper than what can be patched later.
func (r *request) json() ([]byte, error) {
	if err := r.isJSON(); err != nil {
		return nil, err
	}
	b, err := r.body()
	if err == nil && tooDeep(b) {
		err = models.Problem(models.BadRequest, "", "", deep)
	}
	return b, err
}

// isJSON refuses a body that is said to be something else. Who says nothing, or uses curl, which
// says that everything is a form, is taken to send JSON.
func (r *request) isJSON() error {
	said := r.GetHeader("Content-Type")
	kind, _, err := mime.ParseMediaType(said)
	if said == "" || err == nil && (kind == "application/json" || strings.HasSuffix(kind, "+json") || kind == "application/x-www-form-urlencoded") {
		return nil
	}
	return models.Problem(models.BadRequest, "", "", "Invalid content type: "+said)
}

var deep = fmt.Sprintf("more than %d objects and lists lie inside each other; flatten it, or keep it as text", patch.MaxDepth)

// tooDeep tells whether brackets are nested deeper than a document may be. It is right about what
// is JSON, and may say anything about what is not.
func tooDeep(b []byte) bool {
	depth, quoted := 0, false
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case quoted:
		case c == '{' || c == '[':
			if depth++; depth > patch.MaxDepth {
				return true
			}
		case c == '}' || c == ']':
			depth--
		}
	}
	return false
}
