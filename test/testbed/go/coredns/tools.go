//go:build tools

// Package coredns pins the modules CoreDNS is built from.
package coredns

import _ "github.com/coredns/coredns"
