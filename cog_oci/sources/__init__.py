"""Python packages that no index serves as wheels: files of the project, addresses, repositories, source archives."""
