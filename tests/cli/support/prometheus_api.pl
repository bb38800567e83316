#!/usr/bin/perl
# A Prometheus out of a folder, for command tests: a query of a range selector, NAME{...}[...], is answered with the file <folder>/NAME.json,
# or with an empty matrix; where there is a file <folder>/status, with that status. Each request's line and its Authorization are appended to
# <folder>/requests, not encoded any more.
#
#   prometheus_api.pl FOLDER      listens on a free port of 127.0.0.1, which it writes to FOLDER/port
use strict;
use warnings;
BEGIN { unshift @INC, $0 =~ m{^(.*)/} ? $1 : '.' } # perl-base has no FindBin
use FolderServer;

my $folder = shift;

serve($folder, sub {
    my ($request, $headers) = @_;
    my ($key) = $headers =~ /^Authorization: (.*?)\r?\n/im;
    $key //= '';
    $request =~ s/%([0-9A-F]{2})/chr hex $1/ge;
    $request =~ s/\r?\n$//;
    my ($name) = $request =~ m{^GET /api/v1/query\?query=([A-Z_]+)\{};
    my $body = defined $name ? file_of("$folder/$name.json") : undef;
    $body //= '{"status":"success","data":{"resultType":"matrix","result":[]}}';
    my $status = file_of("$folder/status") // 200;
    chomp $status;
    return ("$request $key\n", $status, $body);
});
