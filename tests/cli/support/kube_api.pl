#!/usr/bin/perl
# An API of Kubernetes out of a folder, for command tests: GET /a/b?c is answered with the file <folder>/a/b.json, or, where there is a
# file <folder>/a/b.status, with that status; what has neither is 404. Each request line is appended to <folder>/requests.
#
#   kube_api.pl FOLDER      listens on a free port of 127.0.0.1, which it writes to FOLDER/port
use strict;
use warnings;
BEGIN { unshift @INC, $0 =~ m{^(.*)/} ? $1 : '.' } # perl-base has no FindBin
use FolderServer;

my $folder = shift;

serve($folder, sub {
    my ($request) = @_;
    my ($path) = $request =~ m{^GET (/[^ ?]*)};
    my $body = defined $path && $path !~ /\.\./ ? file_of("$folder$path.json") : undef;
    my $status = defined $path ? file_of("$folder$path.status") : undef;
    $status = $status ? $status + 0 : defined $body ? 200 : 404;
    $body //= '{"kind":"Status","message":"as the test wants it"}';
    return ($request, $status, $body);
});
