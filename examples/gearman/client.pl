#!/usr/bin/perl
# Has Gearman do a job for each line of standard input: client.pl SERVER FUNCTION [--background].
# Prints the results as they come. In the background it prints the handles, and waits for nothing.
use strict;
use warnings;
use Gearman::Client;

my ($server, $function, $background) = @ARGV;
my $client = Gearman::Client->new(job_servers => [$server]);
my $tasks  = $client->new_task_set;
my ($failed, $number) = (0, 0);
$| = 1;
while (my $argument = <STDIN>) {
    chomp $argument;
    my %options = (uniq => join '-', $$, time, $number++);
    if ($background) {
        my $handle = $client->dispatch_background($function, \$argument, \%options);
        print $handle ? "$handle\n" : "not taken: $argument\n";
        $failed ||= !$handle;
        next;
    }
    $options{on_complete} = sub { print ${ $_[0] }, "\n" };
    $options{on_fail}     = sub { print "failed: $argument\n"; $failed = 1 };
    $options{retry_count} = 5;
    $tasks->add_task($function, \$argument, \%options);
}
$tasks->wait;
exit $failed;
