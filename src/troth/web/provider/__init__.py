"""The OpenID Connect provider: the sign-in library's, held to the policy and to what people permitted."""
