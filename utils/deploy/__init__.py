"""What deploy.sh and its sisters do. The shell scripts only bring Python and the packages."""
