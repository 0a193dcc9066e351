//go:build tools

// Package engine pins the modules today's Docker Engine is built from.
package engine

import (
	_ "github.com/moby/moby/v2/cmd/docker-proxy"
	_ "github.com/moby/moby/v2/cmd/dockerd"
)
