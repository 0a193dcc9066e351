//go:build tools

// Package consul pins the modules the Consul of the tests is built from.
package consul

import _ "github.com/hashicorp/consul"
