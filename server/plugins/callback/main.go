// Callback is a plugin provider that tells others of events: each event that a filter selects is
// sent to a URL as JSON. What cannot be delivered after some tries is kept, can be listed, and sent
// once more. It needs nothing but the standard library, so that it can serve as an example.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
)

const definition = `{
  "Name": "callback", "Version": "v1.0.0", "PluginVersion": 4, "HasPublish": true,
  "RequiredParams": ["callback/url"],
  "OptionalParams": ["callback/filters", "callback/secret", "callback/tries", "callback/timeout"],
  "AvailableActions": [
    {"Model": "plugins", "Command": "status"},
    {"Model": "plugins", "Command": "undelivered"},
    {"Model": "plugins", "Command": "resend"},
    {"Model": "plugins", "Command": "forget"}
  ],
  "Documentation": "Sends the events that callback/filters select to callback/url. See server/plugins/README.md.",
  "Content": "meta: {Name: callback, Version: v1.0.0, Description: What callback is configured with}\nsections:\n  params:\n    callback/url: {Name: callback/url, Description: URL that events are sent to by POST, Schema: {type: string, pattern: '^https?://'}}\n    callback/filters: {Name: callback/filters, Description: 'Events to send, as TYPE.ACTION.KEY; * is any', Schema: {type: array, items: {type: string}, default: ['machines.*.*', 'jobs.*.*']}}\n    callback/secret: {Name: callback/secret, Description: Key of the signature in X-DRP-Signature, Secure: true, Schema: {type: string}}\n    callback/tries: {Name: callback/tries, Description: How often an event is sent until it counts as undelivered, Schema: {type: integer, minimum: 1, maximum: 100, default: 5}}\n    callback/timeout: {Name: callback/timeout, Description: How many seconds the receiver may take, Schema: {type: integer, minimum: 1, maximum: 300, default: 10}}\n"
}`

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(args []string) error {
	switch {
	case len(args) == 1 && args[0] == "define":
		fmt.Println(definition)
		return nil
	case len(args) == 2 && args[0] == "unpack":
		return nil // there are no files to be served
	case len(args) == 3 && args[0] == "listen":
		l, err := net.Listen("unix", args[1])
		if err != nil {
			return err
		}
		fmt.Println("READY!")
		return http.Serve(l, newSender().handler())
	}
	return errors.New("usage: callback define | unpack DIR | listen SOCKET SERVER-SOCKET")
}

// handler serves the protocol.
func (s *sender) handler() http.Handler {
	mux := http.NewServeMux()
	serve := func(what string, fn func(body json.RawMessage) (any, error)) {
		mux.HandleFunc("POST /api-plugin/v4/"+what, func(w http.ResponseWriter, r *http.Request) {
			var body json.RawMessage
			err := json.NewDecoder(r.Body).Decode(&body)
			var answer any
			if err == nil {
				answer, err = fn(body)
			}
			w.Header().Set("Content-Type", "application/json")
			if err != nil {
				w.WriteHeader(http.StatusUnprocessableEntity)
				answer = map[string]any{"Model": "plugins", "Key": "callback", "Type": what, "Messages": []string{err.Error()}, "Code": http.StatusUnprocessableEntity}
			}
			_ = json.NewEncoder(w).Encode(answer) // nobody is left to be told
		})
	}
	done := map[string]int{"Code": http.StatusOK}
	serve("config", func(body json.RawMessage) (any, error) { return done, s.configure(body) })
	serve("publish", func(body json.RawMessage) (any, error) { return done, s.offer(body) })
	serve("action", s.act)
	serve("stop", func(json.RawMessage) (any, error) {
		os.Exit(0)
		return nil, nil
	})
	return mux
}
