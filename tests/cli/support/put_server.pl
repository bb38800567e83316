#!/usr/bin/perl
# A server that keeps what is PUT, and fails as it is told, for command tests; one request at a time.
#
#   put_server.pl FOLDER [FAULT...]   keeps files flat in FOLDER/kept; listens on a free port of 127.0.0.1, which it writes to FOLDER/port.
#
# A fault for each PUT of a *.tar.gz, in this order, until there are none left:
#   status=503[:SECONDS]   is answered so, with Retry-After
#   cut=BYTES              the connection is closed after so many bytes of the body, which are kept as they are
#   change                 kept with one bit turned
#   none
# Each request's line, and "<cut BYTES" and the like, are appended to FOLDER/requests.
use strict;
use warnings;
use IO::Socket::INET;

my ($folder, @faults) = @ARGV;
$SIG{PIPE} = 'IGNORE';
mkdir "$folder/kept";
my $listener = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1) or die $!;
open(my $port, '>', "$folder/port") or die $!;
print $port $listener->sockport;
close($port);

sub note {
    open(my $log, '>>', "$folder/requests") or die $!;
    print $log "@_\n";
    close($log);
}

sub reply {
    my ($client, $status, $headers, $body) = @_;
    print $client "HTTP/1.1 $status X\r\n${headers}Content-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
}

sub give {
    my ($client, $method, $path) = @_;
    open(my $file, '<:raw', $path) or return reply($client, 404, '', '');
    local $/;
    my $bytes = <$file>;
    return reply($client, 200, '', $bytes) if $method eq 'GET';
    print $client "HTTP/1.1 200 X\r\nContent-Length: " . length($bytes) . "\r\nConnection: close\r\n\r\n";
}

sub take {
    my ($client, $length, $path, $fault) = @_;
    if ($fault =~ /^status=(\d+)(?::(\d+))?$/) {
        note("<status $1");
        reply($client, $1, defined $2 ? "Retry-After: $2\r\n" : '', 'come again');
        # what is on its way is taken, so that the answer is not lost to a reset
        while (sysread($client, my $ignored, 65536)) { }
        return;
    }
    my $wanted = $fault =~ /^cut=(\d+)$/ && $1 < $length ? $1 : $length;
    my $bytes = '';
    while (length($bytes) < $wanted) {
        my $got = read($client, $bytes, $wanted - length($bytes), length($bytes));
        last unless $got;
    }
    substr($bytes, length($bytes) / 2, 1) ^= "\x01" if $fault eq 'change';
    open(my $file, '>:raw', $path) or die $!;
    print $file $bytes;
    close($file);
    if ($fault =~ /^cut=/) {
        note("<$fault");
        return;
    }
    reply($client, 201, '', '');
}

while (my $client = $listener->accept) {
    my $request = <$client> // '';
    my $length = 0;
    while (defined(my $line = <$client>)) {
        last if $line =~ /^\r?\n$/;
        $length = $1 if $line =~ /^Content-Length: (\d+)/i;
        print $client "HTTP/1.1 100 Continue\r\n\r\n" if $line =~ /^Expect:/i && (!@faults || $faults[0] !~ /^status/);
    }
    my ($method, $name) = $request =~ m{^(\w+) /(?:\S*/)?([^\s/]+) };
    next unless defined $name;
    note("$method $name");
    my $path = "$folder/kept/$name";
    if ($method eq 'PUT') {
        take($client, $length, $path, $name =~ /\.tar\.gz$/ ? shift @faults // 'none' : 'none');
    } else {
        give($client, $method, $path);
    }
    close($client);
}
