#!/usr/bin/perl
# A Prometheus out of a folder, for command tests: a query of a range selector, NAME{...}[...], is answered with the file <folder>/NAME.json,
# or with an empty matrix; where there is a file <folder>/status, with that status. Each request's line and its Authorization are appended to
# <folder>/requests, not encoded any more.
#
#   prometheus_api.pl FOLDER      listens on a free port of 127.0.0.1, which it writes to FOLDER/port
use strict;
use warnings;
use IO::Socket::INET;

my $folder = shift;
$SIG{PIPE} = 'IGNORE';
my $listener = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1) or die $!;
open(my $port, '>', "$folder/port") or die $!;
print $port $listener->sockport;
close($port);

sub file_of {
    open(my $file, '<', $_[0]) or return undef;
    local $/;
    return scalar <$file>;
}

while (my $client = $listener->accept) {
    my $request = <$client> // '';
    my $key = '';
    while (defined(my $line = <$client>)) {
        $key = $1 if $line =~ /^Authorization: (.*?)\r?\n$/i;
        last if $line =~ /^\r?\n$/;
    }
    $request =~ s/%([0-9A-F]{2})/chr hex $1/ge;
    open(my $log, '>>', "$folder/requests");
    $request =~ s/\r?\n$//;
    print $log "$request $key\n";
    close($log);
    my ($name) = $request =~ m{^GET /api/v1/query\?query=([A-Z_]+)\{};
    my $body = defined $name ? file_of("$folder/$name.json") : undef;
    $body //= '{"status":"success","data":{"resultType":"matrix","result":[]}}';
    my $status = file_of("$folder/status") // 200;
    chomp $status;
    print $client "HTTP/1.1 $status X\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
    close($client);
}
