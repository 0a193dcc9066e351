//go:build tools

// Package consultemplate pins the modules consul-template is built from.
package consultemplate

import _ "github.com/hashicorp/consul-template"
