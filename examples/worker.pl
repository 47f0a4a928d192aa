#!/usr/bin/perl
# A worker for preforkd: answers HTTP on the socket it inherits as descriptor 3.
#
# [socket:web]  listen = :8080      [pool:pl]  command = perl worker.pl   sockets = web
use strict;
use warnings;
use Fcntl ':flock';
use IO::Socket;
use POSIX qw(:signal_h);
my $listener = IO::Socket->new_from_fd(3, 'r+') or die "no socket: $!";
$listener->blocking(0);    # a connection may be gone already; holds for all that share the socket
my ($fd, $line) = @ENV{qw(PREFORKD_SCOREBOARD_FD PREFORKD_SCOREBOARD_OFFSET)};
my $board;                 # none: run without a supervisor
open $board, '+<&=', $fd or die "no scoreboard: $!" if defined $fd;

sub put { my ($at, $text) = @_; $board && sysseek($board, $line + $at, 0) && syswrite $board, $text }
sub is_leaving { my $mark = ''; $board && sysseek($board, $line + 2, 0) && sysread $board, $mark, 1; $mark eq 'R' }

my ($term, $body, $jobs) = (POSIX::SigSet->new(SIGTERM), "Hello from Perl\n", 0);
vec(my $listening = '', 3, 1) = 1;
$SIG{PIPE} = 'IGNORE';
while (1) {
    put(0, '_');
    sigprocmask(SIG_UNBLOCK, $term);    # idle: TERM ends us
    flock $board, LOCK_EX if $board;    # one waits for connections, so that one is woken by each
    select my $ready = $listening, undef, undef, undef;
    sigprocmask(SIG_BLOCK, $term);      # busy: TERM waits for the end
    put(0, 'W');                        # first busy, then the mark, then the job: so none is lost
    last if is_leaving();
    my $client = $listener->accept;
    flock $board, LOCK_UN if $board;
    next if !$client;
    $client->sockopt(SO_RCVTIMEO, pack 'l!l!', 10, 0);
    my $request = '';
    1 while $request !~ /\r\n\r\n/ && sysread $client, $request, 4096, length $request;
    syswrite $client, "HTTP/1.0 200 OK\r\nContent-Length: " . length($body) . "\r\n\r\n$body";
    close $client;
    put(12, sprintf '%-12d', ++$jobs);
}
