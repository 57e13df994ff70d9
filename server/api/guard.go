package api

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"drp/models"
	"drp/server/auth"
	"drp/server/throttle"

	"github.com/gin-gonic/gin"
)

// Limits are what the server takes, from whom and how fast. A zero is no limit.
type Limits struct {
	MachineRate    float64       // requests a second of one machine, job or host without a machine, and of a profile's token at one address
	UserRate       float64       // requests a second of one user
	RefusedRate    float64       // refused requests a second from one address
	LoginRate      float64       // wrong passwords a second from one address, and for one user
	MachineSockets int           // event streams at a time of one machine or job
	UserSockets    int           // event streams at a time of one user
	Stall          time.Duration // how long the body of a request may stand still
	Upload         int64         // bytes of one file or ISO
}

// Each rate may be exceeded for a moment, by what so many seconds allow.
const (
	rateBurst    = 2
	refusedBurst = 10
	loginBurst   = 20
)

// A user whose password somebody guesses is not locked out, but waits before each try, as does
// who guesses. So many may wait at a time.
const (
	guessPause = time.Second
	maxGuesses = 32
)

// Guard keeps the account of who asks how often. It is safe for concurrent use.
type Guard struct {
	Limits
	machines *throttle.Rates[caller]
	users    *throttle.Rates[caller]
	refusals *throttle.Rates[netip.Addr]
	logins   *throttle.Rates[netip.Addr]
	guesses  *throttle.Rates[string]
	waiting  *throttle.Seats[struct{}]
	sockets  *throttle.Seats[string]
	pause    func(context.Context) error // guessPause, but in tests
}

// caller is a principal, and where it is if many share it.
type caller struct {
	name string
	addr netip.Addr
}

// NewGuard makes a Guard for a server's limits; now is its clock.
func NewGuard(l Limits, now func() time.Time) *Guard {
	burst := func(rate float64, seconds int) int { return int(rate * float64(seconds)) }
	return &Guard{
		Limits:   l,
		machines: throttle.NewRates[caller](l.MachineRate, burst(l.MachineRate, rateBurst), now),
		users:    throttle.NewRates[caller](l.UserRate, burst(l.UserRate, rateBurst), now),
		refusals: throttle.NewRates[netip.Addr](l.RefusedRate, burst(l.RefusedRate, refusedBurst), now),
		logins:   throttle.NewRates[netip.Addr](l.LoginRate, burst(l.LoginRate, loginBurst), now),
		guesses:  throttle.NewRates[string](l.LoginRate, burst(l.LoginRate, loginBurst), now),
		waiting:  throttle.NewSeats[struct{}](),
		sockets:  throttle.NewSeats[string](),
		pause:    pause,
	}
}

func pause(ctx context.Context) error {
	t := time.NewTimer(guessPause)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// address is whom failures are counted against. Whoever has one IPv6 address has all of its /64.
func address(r *http.Request) netip.Addr {
	p, _ := netip.ParseAddrPort(r.RemoteAddr) // zero over a unix socket: all of those are one
	a := p.Addr().Unmap().WithZone("")
	if a.Is6() {
		net, _ := a.Prefix(64)
		return net.Addr()
	}
	return a
}

func isUser(who string) bool { return strings.HasPrefix(who, "user:") }

// admit takes a request of somebody known from its budget.
func (g *Guard) admit(r *http.Request, who string) error {
	rates, limit, option, key := g.machines, g.MachineRate, "machine", caller{name: who}
	if isUser(who) {
		rates, limit, option = g.users, g.UserRate, "user"
	}
	if rates == nil {
		return nil
	}
	if strings.HasPrefix(who, "profile:") || who == "unknown" {
		key.addr = address(r)
	}
	wait := rates.Take(key)
	if wait == 0 {
		return nil
	}
	return tooOften(wait, "%s asks more than %v times a second; wait as Retry-After says, ask for events instead of polling, "+
		"or raise --limit-%s-rate of the server", who, limit, option)
}

// refuse takes a refusal from the budget of its address; when that is used up it becomes another.
func (g *Guard) refuse(r *http.Request, err error) error {
	switch models.ClassOf(err) {
	case models.Unauthorized, models.Forbidden, models.NotFound:
	default:
		return err
	}
	wait := g.refusals.Take(address(r))
	if wait == 0 {
		return err
	}
	return tooOften(wait, "more than %v requests a second from %s are refused, the last one so: %v; mend that, and wait as Retry-After says "+
		"(--limit-refused-rate of the server)", g.RefusedRate, address(r), err)
}

// password lets somebody try a password, unless there were too many wrong ones from there. Who
// has just logged in with it, and everybody with a token, is not affected.
func (g *Guard) password(r *http.Request, a *auth.Auth, user, password string) (auth.Principal, error) {
	if p, ok, err := a.Remembered(user, password); ok {
		return p, err
	}
	addr, guessed := address(r), user[:min(len(user), 64)]
	if wait := g.logins.Wait(addr); wait > 0 {
		return auth.Principal{}, tooOften(wait, "more than %v wrong passwords a second from %s; wait as Retry-After says, or use a token "+
			"(--limit-login-rate of the server)", g.LoginRate, addr)
	}
	if wait := g.guesses.Wait(guessed); wait > 0 {
		if !g.waiting.Take(struct{}{}, maxGuesses) {
			return auth.Principal{}, tooOften(guessPause, "somebody guesses passwords; wait as Retry-After says, or use a token")
		}
		err := g.pause(r.Context())
		g.waiting.Leave(struct{}{})
		if err != nil {
			return auth.Principal{}, fmt.Errorf("log in: %w", err)
		}
	}
	p, err := a.Password(r.Context(), user, password)
	if models.ClassOf(err) == models.Unauthorized {
		g.logins.Take(addr)
		g.guesses.Take(guessed)
	}
	return p, err
}

// stream lets somebody open one more event stream; end it with g.sockets.Leave.
func (g *Guard) stream(who string) error {
	most, option := g.MachineSockets, "machine"
	if isUser(who) {
		most, option = g.UserSockets, "user"
	}
	if g.sockets.Take(who, most) {
		return nil
	}
	return tooOften(10*time.Second, "%s has %d event streams open, and may have no more; close some, register more filters on one, "+
		"or raise --limit-%s-streams of the server", who, most, option)
}

func tooOften(wait time.Duration, format string, args ...any) error {
	e := models.Problem(models.TooOften, "", "", fmt.Sprintf(format, args...))
	e.RetryAfter = wait
	return e
}

// retryAfter is a wait as the header tells it, in whole seconds.
func retryAfter(wait time.Duration) string {
	return strconv.FormatInt(int64((wait+time.Second-1)/time.Second), 10)
}

const (
	maxURL    = 32 << 10
	maxHeader = 64 << 10
	// HeaderBytes is for net/http, which refuses larger headers itself, without an explanation.
	HeaderBytes = 256 << 10
)

// sized refuses what is too long to be looked at, and bounds how long the body may take from now
// on, read or not.
func (a *API) sized(c *gin.Context) {
	r := c.Request
	if len(r.RequestURI) > maxURL {
		c.Abort()
		c.Header("Connection", "close")
		a.fail(c, models.Problem(models.LongURL, "", "", fmt.Sprintf("the URL is longer than %d KiB; ask in several requests", maxURL>>10)))
		return
	}
	n := 0
	for name, values := range r.Header {
		for _, v := range values {
			n += len(name) + len(v) + len(": \r\n")
		}
	}
	if n > maxHeader {
		c.Abort()
		c.Header("Connection", "close")
		a.fail(c, models.Problem(models.LongHeader, "", "", fmt.Sprintf("the headers are larger than %d KiB; send fewer, or a token of fewer grantors", maxHeader>>10)))
		return
	}
	if r.Body != http.NoBody {
		r.Body = newBody(c.Writer, r.Body, a.Guard.Stall)
	}
}
