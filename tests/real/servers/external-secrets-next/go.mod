// The CRDs of a later External Secrets Operator, whose program cannot be built from modules: its providers
// became modules of their own that were never tagged. Only files of the module are used.
module keyless.test/servers/external-secrets-next

go 1.25.0

require github.com/external-secrets/external-secrets v1.3.2
