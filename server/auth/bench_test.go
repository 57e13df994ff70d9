package auth

import (
	"testing"

	"drp/models"
)

func BenchmarkTokenCached(b *testing.B) {
	a := open(newWorld())
	token := grants["user by another"].make(b, a)
	b.ReportAllocs()
	for b.Loop() {
		holder(b, a, token)
	}
}

func BenchmarkTokenUncached(b *testing.B) {
	a := open(newWorld())
	token := grants["user by another"].make(b, a)
	b.ReportAllocs()
	for b.Loop() {
		clear(a.tokens.entries)
		holder(b, a, token)
	}
}

func BenchmarkTokenGranted(b *testing.B) {
	a := open(newWorld())
	b.ReportAllocs()
	for b.Loop() {
		must(b)(a.MachineToken(System(), machine1, 0))
	}
}

func BenchmarkPassword(b *testing.B) {
	w := newWorld()
	hash, err := Hash("secret")
	if err != nil {
		b.Fatal(err)
	}
	replace(w, w.users, "alice", func(u *models.User) { u.PasswordHash = hash })
	a := New(w, w.now)
	b.Run("cached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			login(b, a, "alice")
		}
	})
	b.Run("uncached", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			clear(a.logins.entries)
			login(b, a, "alice")
		}
	})
}
