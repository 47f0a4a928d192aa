#!/usr/bin/perl
# A worker of Gearman for preforkd: worker.pl SERVER FUNCTIONS. FUNCTIONS is a file in Perl whose last
# value is a hash of functions by name; each gets a Gearman::Job and returns the result.
use strict;
use warnings;
use Gearman::Worker;
use POSIX qw(:signal_h);

my ($server, $file) = @ARGV;
my %functions = do "./$file" or die "$file: ", $@ || $!;
my ($fd, $line) = @ENV{qw(PREFORKD_SCOREBOARD_FD PREFORKD_SCOREBOARD_OFFSET)};
my $board;    # none: run without a supervisor
open $board, '+<&=', $fd or die "no scoreboard: $!" if defined $fd;

sub put { my ($at, $text) = @_; $board && sysseek($board, $line + $at, 0) && syswrite $board, $text }
sub is_leaving { my $mark = ''; $board && sysseek($board, $line + 2, 0) && sysread $board, $mark, 1; $mark eq 'R' }

my ($term, $jobs) = (POSIX::SigSet->new(SIGTERM), 0);
my $done = sub { put(12, sprintf '%-12d', ++$jobs) };
my $worker = Gearman::Worker->new(job_servers => [$server]);
$worker->register_function($_ => $functions{$_}) for keys %functions;
put(0, '_');
# Idle, TERM ends us: a job that was handed to us but not begun, the server gives to another. Busy, it
# waits until the server has the result.
$worker->work(
    on_start    => sub { sigprocmask(SIG_BLOCK, $term); put(0, 'W') },
    on_complete => $done,
    on_fail     => $done,
    stop_if     => sub { return 1 if is_leaving(); put(0, '_'); sigprocmask(SIG_UNBLOCK, $term); 0 },
);
