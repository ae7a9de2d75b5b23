"""A key as many archives have it, bound to its name with SHA-1, and what it has signed; made with GnuPG 2.2."""

from __future__ import annotations

__all__ = ["INRELEASE", "KEY", "RELEASE", "SIGNATURE"]

KEY = """\
-----BEGIN PGP PUBLIC KEY BLOCK-----

mQENBF4L4QABCADSwPvTPKE1IWxubLKKOi5euYAoJbRZhboHVpdit8BlEFEtn9aX
zCapeYxt3tfe8ULgXzYGASchB/msVkWFdo4LPNUzj7wCG8XcsF8OWK8YwCpgru6Q
ZvYT7N8boxloACl57a5ibKQ4NH5+tAsYxPoHMwSR0h0qjWINSAK1+HJ/f/N1/KO2
yzN81FNnTbjbSB4SVowfS7Pk0ygLPkyWUVWc5N0NWhsPzwu7+eU0lyvESzpKa2Aq
pekO36vXFIhWXLCxM7SscyGOfbxA8ANAujCzvpZLeHtEttT6woNDrNaZXyWjJJ/I
YNCPyrBpCwqkTLxsgBBnxdJqngXS+g2VrJgTABEBAAG0H09sZCB2ZW5kb3IgPHZl
bmRvckBleGFtcGxlLmNvbT6JAU4EEwECADgWIQR4EDeH5OEuFS8TiiCW3e7kx5Tr
UQUCXgvhAAIbAwULCQgHAgYVCgkICwIEFgIDAQIeAQIXgAAKCRCW3e7kx5TrUVAh
CACn9cMzoV8b2FbhQJYFLdYKC7H9a1AFt/44zAn3eSOWN9iREEZHbYChhHE/8wsF
z574j+42f7Y4B2bIACOgxq94uNLXnN2IP/C+crWW6S3W3NBDiF8nARabHN4Poz4O
vrQUPPPn7IKe+hP4P6OhaeB1GvfqPP0ahn/UAywQS3c4phSMFjCa/E8NF+rgo2FQ
dbYvuU030y/jZDheOdxwHwq6anl0txkxuYqYlVQwOzZ8+8FLwAV6sAe+v4ZQP+GQ
xi/HMsqLhzg9BHiY2NV5wbQaob6s6Ly+psZDgSmch5nz6rKX77do0clLhmN8wTTI
DfmbnplHZsMzz+O6y4dCPo8X
=hzOD
-----END PGP PUBLIC KEY BLOCK-----
"""
"""RSA of 2048 bits, made in 2020, without an end."""

RELEASE = """\
Date: Mon, 23 Nov 2026 10:00:00 UTC
Description: trailing blanks\x20\x20\x20
-X: a dash
SHA256:
 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 Packages
"""
"""A text with blanks at the end of a line, and a line that begins with a dash."""

SIGNATURE = """\
-----BEGIN PGP SIGNATURE-----

iQEzBAABCAAdFiEEeBA3h+ThLhUvE4oglt3u5MeU61EFAmsN+OgACgkQlt3u5MeU
61H34Qf/ceMe7DbfgP2D2ERD4S3epW5oG49VZIPiSQCj/Va0BBq++xoMVjahXUbj
h0oELYSCt8sEvNActSaxsFTPYfj6cptqp0Ol0HSC++2Yg7oUQypefOVGzfWeg4I0
EFseRzSVHL2YjqXt1+uMv3d8K3ymkqlq85uthgyYOrROzOjWsAPoqXyLuu/BhNWk
yKrJ5sKD5gJjKNmJnMTzbxrTNlgsB0HIqhIMPRzHqfH+9naqQwd5e/KGMYyLIDmd
r+FgKMPtEQbvKkNLFsEhkH93d+t99UG3XjU2oLEjQf6YBwbPPrfGSb2AvkkUGdrk
z5xyc9wHZdqWM4lCUt7sWm9VYTeXbQ==
=ie6h
-----END PGP SIGNATURE-----
"""
"""Its signature, over SHA-256."""

INRELEASE = """\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

Date: Mon, 23 Nov 2026 10:00:00 UTC
Description: trailing blanks\x20\x20\x20
- -X: a dash
SHA256:
 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 Packages
-----BEGIN PGP SIGNATURE-----

iQEzBAEBCgAdFiEEeBA3h+ThLhUvE4oglt3u5MeU61EFAmsN+OgACgkQlt3u5MeU
61GXlAf9GTzDFsHz6eioB8+0e9LhXzfkSxXVPaOItGzYo7+im6JZnonghEtWlicX
hRvPpWAC0s4rbHnfGMUj9LZuBREGXZ+UVtqwwbR0JXDIZhPxxE7dMrRTY5AICXZW
pG2RKt1BJGFhZuSLikC7mC7fPszTpmhL5P4j2t9VhQXFyQxbXVkjELZSjMYgtsG7
JUJX4evY3CTFpZ67LqCJuMZ5Ac2Wr7D5Ghsjv4hvoj/VD5mUiQAKyDaqZ/0X7vPx
UGeTT5+sCZHZEJM4Hjc2fbqU/Rr57qH6HEMr67035uJV4gf3wnpzD76B+7J73SA+
u6CkwosIvP+H+EjPe24BN5fYUvOp+w==
=oXcf
-----END PGP SIGNATURE-----
"""
"""The same in one, over SHA-512."""
