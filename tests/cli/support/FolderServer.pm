# An HTTP server of JSON for command tests, one request at a time, on a free port of 127.0.0.1, which it writes to FOLDER/port.
#
#   serve($folder, sub { my ($request, $headers) = @_; ... return ($line, $status, $body) })
#     request and headers are as they came, with line ends; $line is appended to FOLDER/requests.
package FolderServer;
use strict;
use warnings;
use Exporter 'import';
use IO::Socket::INET;

our @EXPORT = qw(serve file_of);

sub file_of {
    open(my $file, '<', $_[0]) or return undef;
    local $/;
    return scalar <$file>;
}

sub serve {
    my ($folder, $answer) = @_;
    $SIG{PIPE} = 'IGNORE';
    my $listener = IO::Socket::INET->new(Listen => 16, LocalAddr => '127.0.0.1', LocalPort => 0, ReuseAddr => 1) or die $!;
    open(my $port, '>', "$folder/port") or die $!;
    print $port $listener->sockport;
    close($port);
    while (my $client = $listener->accept) {
        my $request = <$client> // '';
        my $headers = '';
        while (defined(my $line = <$client>)) {
            last if $line =~ /^\r?\n$/;
            $headers .= $line;
        }
        my ($line, $status, $body) = $answer->($request, $headers);
        open(my $log, '>>', "$folder/requests");
        print $log $line;
        close($log);
        print $client "HTTP/1.1 $status X\r\nContent-Type: application/json\r\nContent-Length: " . length($body) . "\r\nConnection: close\r\n\r\n$body";
        close($client);
    }
}

1;
