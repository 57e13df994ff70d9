package models

import "encoding/json"

// Content is a content pack: objects of many kinds that are uploaded and replaced as one.
type Content struct {
	Meta     ContentMeta                           `json:"meta"`
	Sections map[string]map[string]json.RawMessage `json:"sections"`
}

// ContentMeta describes a pack. Prerequisites is a comma list of "name[: constraint]",
// RequiredFeatures a list split on commas and spaces.
type ContentMeta struct {
	Name, Version, Description, Source, Documentation, RequiredFeatures, Prerequisites    string
	Color, Icon, Author, DisplayName, License, Copyright, CodeSource, Order, Tags, DocUrl string
	Type                                                                                  string
	Writable, Overwritable                                                                bool
}

// ContentSummary is the answer to an upload, and a line in the list of packs.
type ContentSummary struct {
	Meta     ContentMeta `json:"meta"`
	Counts   map[string]int
	Warnings []string
}
