/**
 * Makes the embedded model and its task: a random base, letter tasks that it is grown on, and the
 * new task that the first run of mola teaches it. The script {@code grow.sh} of this module runs
 * all of it with mola's own commands. Nothing here is needed at run time.
 */
package io.mola.testdata.embedded;
