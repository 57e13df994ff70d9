package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"drp/models"
)

// loginTTL is how long a password that was right needs not be hashed again.
const loginTTL = time.Minute

// Password tells who logs in with a name and a password. A wrong password, a user that is not
// there and one who may not log in fail alike: Unauthorized, after the same work. Few
// passwords are checked at a time; who waits gives up with ctx, which is Busy.
func (a *Auth) Password(ctx context.Context, user, password string) (Principal, error) {
	who, err := a.password(ctx, user, password)
	a.counts.login(err)
	return who, err
}

func (a *Auth) password(ctx context.Context, user, password string) (Principal, error) {
	u, ok := a.src.User(user)
	if !ok {
		u = &models.User{}
	}
	id := a.loginID(u.PasswordHash, password)
	if _, ok := a.logins.get(id, a.now()); ok {
		return a.login(u)
	}
	matches, err := a.check(ctx, u.PasswordHash, id, password)
	if err != nil {
		return Principal{}, fmt.Errorf("log in: %w", err)
	}
	if !matches || len(u.PasswordHash) == 0 {
		return Principal{}, models.Problem(models.Unauthorized, "", "", "Wrong user name or password").Typed("AUTH")
	}
	a.logins.put(id, struct{}{}, a.now().Add(loginTTL), a.now())
	return a.login(u)
}

// check verifies a password when it is its turn. Of many that wait with the same password the
// first to succeed answers for all.
func (a *Auth) check(ctx context.Context, hash []byte, id [32]byte, password string) (bool, error) {
	select {
	case a.slots <- struct{}{}:
		defer func() { <-a.slots }()
	case <-ctx.Done():
		return false, models.Errorf(models.Busy, nil, "Too many logins at once")
	}
	if _, ok := a.logins.get(id, a.now()); ok {
		return true, nil
	}
	if len(hash) == 0 {
		hash = a.decoy
	}
	return a.verify(hash, password), nil
}

// loginID names a hash and a password, so that what was found out about one hash says nothing
// about the next.
func (a *Auth) loginID(hash []byte, password string) (id [32]byte) {
	h := hmac.New(sha256.New, a.pepper)
	for _, part := range [][]byte{hash, []byte(password)} {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(part)))
		h.Write(size[:])
		h.Write(part)
	}
	h.Sum(id[:0])
	return id
}

func (a *Auth) login(u *models.User) (Principal, error) {
	k, err := a.current()
	if err != nil {
		return Principal{}, err
	}
	name := "user:" + u.Name
	r := right{Limits: []limit{k.bind(name, u.Secret)}}
	claims, _, err := a.resolve(k, r)
	if err != nil {
		return Principal{}, refusal(err) // removed, or its secret changed, since we looked
	}
	return Principal{Name: name, Claims: claims, right: r}, nil
}

// DefaultPasswordInUse tells whether the bootstrap user still has the password that everybody
// knows. It costs the check of a password once for each password that the user gets.
func (a *Auth) DefaultPasswordInUse() bool {
	u, ok := a.src.User(BootstrapUser)
	if !ok || len(u.PasswordHash) == 0 {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if hash := string(u.PasswordHash); hash != a.bootHash {
		a.bootHash, a.bootDefault = hash, a.verify(u.PasswordHash, DefaultPassword)
	}
	return a.bootDefault
}
