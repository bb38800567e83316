#!/usr/bin/perl
# An API of Kubernetes out of a folder, for command tests: GET /a/b?c is answered with the file <folder>/a/b.json, or, where there is a
# file <folder>/a/b.status, with that status; what has neither is 404. Each request line is appended to <folder>/requests.
#
#   kube_api.pl FOLDER      listens on a free port of 127.0.0.1, which it writes to FOLDER/port
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
    while (defined(my $line = <$client>)) { last if $line =~ /^\r?\n$/; }
    open(my $log, '>>', "$folder/requests");
    print $log $request;
    close($log);
    my ($path) = $request =~ m{^GET (/[^ ?]*)};
    my $body = defined $path && $path !~ /\.\./ ? file_of("$folder$path.json") : undef;
    my $status = defined $path ? file_of("$folder$path.status") : undef;
    $status = $status ? $status + 0 : defined $body ? 200 : 404;
    $body //= '{"kind":"Status","message":"as the test wants it"}';
    print $client "HTTP/1.1 $status X\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
    close($client);
}
