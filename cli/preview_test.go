package cli

import (
	"testing"

	"drp/models"
)

func TestPreviewsAskAndTellTheLine(t *testing.T) {
	s := newServer(t, map[string]string{
		"POST machines/Name:m1/preview": `[{"Name":"a.sh","Path":"","Content":"fine","Meta":{}}]`,
		"POST machines/Name:m2/preview": `[{"Name":"a.sh","Error":{"Kind":"tasks","Key":"t","Part":"a.sh","Line":3,"Column":7,"Why":"no such thing"}}]`,
	})
	for _, c := range []struct {
		args        []string
		asked, says string
	}{
		{[]string{"tasks", "preview", "t", "m1", "--os", "linux"}, `POST machines/Name:m1/preview {"Kind":"tasks","Key":"t","Templates":null,"OS":"linux"}`, ""},
		{[]string{"stages", "preview", "s", "m1", "--os", "any", "--decode"}, `POST machines/Name:m1/preview?decode=true {"Kind":"stages","Key":"s","Templates":null,"OS":""}`, ""},
		{[]string{"templates", "preview", "{{.ApiURL}}", "Name:m1", "--os", "any"},
			`POST machines/Name:m1/preview {"Kind":"","Key":"","Templates":[{"Name":"text","Path":"","Link":"","ID":"","Contents":"{{.ApiURL}}","Meta":null}],"OS":""}`, ""},
		{[]string{"bootenvs", "preview", "b", "m2", "--os", "any"}, `POST machines/Name:m2/preview {"Kind":"bootenvs","Key":"b","Templates":null,"OS":""}`,
			"Error: template a.sh: line 3, column 7: no such thing\n"},
	} {
		r := s.call(t, c.args...)
		want(t, "asked", s.requests(), []string{c.asked})
		want(t, "told", r.err, c.says)
		want(t, "status", r.status != 0, c.says != "")
	}
	for _, c := range []struct {
		e    models.PreviewError
		want string
	}{
		{models.PreviewError{Kind: "tasks", Key: "t", Part: "a.sh", Why: "x"}, ""},
		{models.PreviewError{Kind: "tasks", Key: "t", Part: "a.sh", Line: 1}, "line 1: "},
		{models.PreviewError{Kind: "tasks", Key: "t", Part: "a.sh (path)", Line: 1, Column: 2}, "in a.sh (path), line 1, column 2: "},
		{models.PreviewError{Kind: "templates", Key: "shared", Line: 1}, "in shared, line 1: "},
		{models.PreviewError{Key: "param x", Line: 1}, "in param x, line 1: "},
	} {
		want(t, "place", placeOf("a.sh", &c.e), c.want)
	}
}
